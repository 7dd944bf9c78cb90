source("../lib/util.R"); suppressPackageStartupMessages({library(survival); library(mets)})
# Mean cumulative number of recurrent events, with and without death, and the Andersen-Gill model.
# ---- the data: a row per interval, ended by an event (1), by death (2) or by the end of follow-up (0)
made <- function(d, file) write.csv(d, file, row.names = FALSE, quote = FALSE)
g <- with(cgd, data.frame(id, arm = as.integer(treat == "rIFN-g"), start = tstart, stop = tstop, status, age,
  site = as.integer(hos.cat)))
made(g, "cgd.csv")
b <- subset(bladder1, treatment != "pyridoxine" & stop > start)
b <- with(b, data.frame(id, arm = as.integer(treatment == "thiotepa"), start, stop, status = pmin(status, 2L), number))
made(b, "bladder.csv")
# The same people without ties, for programs that take none: every interval ends a little later than the one before.
u <- b[order(b$stop, b$id), ]; u$stop <- u$stop + seq_len(nrow(u)) / 1000
u <- u[order(u$id, u$stop), ]; again <- c(FALSE, u$id[-1] == u$id[-nrow(u)]); u$start[again] <- u$stop[which(again) - 1]
made(u, "untied.csv")
# ---- one arm by the equations of Ghosh and Lin (2000), as loops
people <- function(d) lapply(split(d, d$id), function(p) list(
  exit = max(p$stop), died = any(p$status == 2), events = p$stop[p$status == 1]))
ghosh_lin <- function(d, weight = function(t) 1, upto = Inf) {
  who <- people(d); exit <- sapply(who, `[[`, "exit"); died <- sapply(who, `[[`, "died")
  times <- sort(unique(d$stop)); times <- times[times <= upto]; if (!length(times)) return(list(mean = 0, se = 0))
  psi <- numeric(length(who)); S <- 1; mu <- 0; rest <- list()
  Y <- sapply(times, function(t) sum(exit >= t))
  dN <- sapply(times, function(t) sum(sapply(who, function(p) sum(p$events == t))))
  dD <- sapply(times, function(t) sum(died & exit == t))
  Sminus <- c(1, cumprod(1 - dD / Y))[seq_along(times)]; w <- sapply(times, weight)
  dmu <- w * Sminus * dN / Y
  for (k in seq_along(times)) {
    later <- sum(dmu[-seq_len(k)])          # the mean still to come after this time
    for (i in seq_along(who)) if (exit[i] >= times[k]) {
      own <- sum(who[[i]]$events == times[k]) - dN[k] / Y[k]
      psi[i] <- psi[i] + w[k] * Sminus[k] * own / Y[k] - later * ((died[i] & exit[i] == times[k]) - dD[k] / Y[k]) / Y[k]
    }
  }
  list(mean = sum(dmu), se = sqrt(sum(psi^2)))
}
log_rank <- function(d) {
  at_risk <- function(a, t) { e <- sapply(people(d[d$arm == a, ]), `[[`, "exit"); sum(e >= t) }
  weight <- function(t) { y <- c(at_risk(1, t), at_risk(0, t)); if (sum(y)) prod(y) / sum(y) else 0 }
  one <- ghosh_lin(d[d$arm == 1, ], weight); other <- ghosh_lin(d[d$arm == 0, ], weight)
  z <- (one$mean - other$mean) / sqrt(one$se^2 + other$se^2)
  list(weighted_difference = one$mean - other$mean, se = sqrt(one$se^2 + other$se^2), z = z, p = 2 * pnorm(-abs(z)))
}
by_arm <- function(d, f) setNames(lapply(0:1, function(a) f(d[d$arm == a, ])), c("arm_0", "arm_1"))
o <- list()
# ---- no deaths: survival
o$cgd$mean_cumulative <- by_arm(g, function(d) {
  s <- summary(survfit(Surv(start, stop, status) ~ 1, d, id = id), times = seq(0, 400, 50))
  list(time = s$time, mean = s$cumhaz, se = s$std.chaz)
})
for (a in c("arm_0", "arm_1")) for (k in 2:9) {  # the equations of Ghosh and Lin are then those of Lawless and Nadeau
  mine <- ghosh_lin(g[g$arm == (a == "arm_1"), ], upto = o$cgd$mean_cumulative[[a]]$time[k])
  stopifnot(all.equal(c(mine$mean, mine$se), c(o$cgd$mean_cumulative[[a]]$mean[k], o$cgd$mean_cumulative[[a]]$se[k])))
}
o$cgd$log_rank <- log_rank(g)
ctl <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100)
andersen_gill <- function(formula, d) {
  f <- coxph(formula, d, cluster = id, ties = "breslow", control = ctl)
  list(coef = unname(coef(f)), robust_se = unname(sqrt(diag(f$var))), model_se = unname(sqrt(diag(f$naive.var))),
    loglik = f$loglik, n_event = f$nevent)
}
o$cgd$andersen_gill <- andersen_gill(Surv(start, stop, status) ~ arm, g)
o$cgd$andersen_gill_adjusted <- andersen_gill(Surv(start, stop, status) ~ arm + age, g)
o$cgd$andersen_gill_stratified <- andersen_gill(Surv(start, stop, status) ~ arm + strata(site), g)
# ---- deaths, and ties: the equations
o$bladder$mean_cumulative <- by_arm(b, function(d) {
  found <- lapply(c(6, 12, 24, 36, 48), function(t) ghosh_lin(d, upto = t))
  list(time = c(6, 12, 24, 36, 48), mean = sapply(found, `[[`, "mean"), se = sapply(found, `[[`, "se"))
})
o$bladder$log_rank <- log_rank(b)
o$bladder$andersen_gill <- andersen_gill(Surv(start, stop, status == 1) ~ arm + number, b)
# ---- deaths, no ties: mets
o$untied$mean_cumulative <- by_arm(u, function(d) {
  m <- recurrentMarginal(phreg(Surv(start, stop, status == 1) ~ cluster(id), d), phreg(Surv(start, stop, status == 2) ~ cluster(id), d))
  last <- tail(m$times, 1); mine <- ghosh_lin(d, upto = last)
  stopifnot(all.equal(c(mine$mean, mine$se), c(tail(m$mu, 1), tail(m$se.mu, 1))))
  list(time = m$times, mean = m$mu, se = m$se.mu)
})
# ---- trial alpha: new competitive jobs before day 900, nobody's follow-up carried to a planned end
p <- read.csv("../data_alpha/participants.csv"); j <- read.csv("../data_alpha/spells.csv")
p$day0 <- as.Date(p$rand_date); p$last <- as.integer(as.Date(p$last_date) - p$day0); cut <- 900
p$exit <- ifelse(p$last >= cut - 1, cut, p$last)  # followed to the last day before the cut is followed to it
j <- merge(j, p[, c("id", "day0", "exit")]); j$day <- as.integer(as.Date(j$start) - j$day0)
j <- j[j$competitive == 1 & j$day >= 0 & j$day <= j$exit & j$day < cut, ]
stopifnot(!anyDuplicated(j[, c("id", "day")]))
rows <- do.call(rbind, lapply(seq_len(nrow(p)), function(i) {
  days <- sort(j$day[j$id == p$id[i]]); ends <- unique(c(days, p$exit[i]))
  data.frame(id = p$id[i], arm = as.integer(p$arm[i] == "IPS"), site = p$site[i], age = p$age[i],
    start = c(-1, ends[-length(ends)]), stop = ends, status = as.integer(ends %in% days))
}))
o$alpha$n_events <- nrow(j)
o$alpha$people_by_jobs <- by_arm(rows, function(d) as.vector(table(factor(pmin(tapply(d$status, d$id, sum), 3), levels = 0:3))))
o$alpha$mean_cumulative <- by_arm(rows, function(d) {
  s <- summary(survfit(Surv(start, stop, status) ~ 1, d, id = id), times = 30 * c(6, 12, 18, 24, 30) - 1)
  list(day = s$time, mean = s$cumhaz, se = s$std.chaz)
})
o$alpha$andersen_gill <- andersen_gill(Surv(start, stop, status) ~ arm, rows)
o$alpha$andersen_gill_stratified <- andersen_gill(Surv(start, stop, status) ~ arm + strata(site), rows)
o$alpha$andersen_gill_adjusted <- andersen_gill(Surv(start, stop, status) ~ arm + age + strata(site), rows)
o$alpha$log_rank <- log_rank(rows)
write_expected(o, c("survival", "mets"))
