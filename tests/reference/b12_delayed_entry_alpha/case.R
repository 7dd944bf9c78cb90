source("../lib/util.R"); suppressPackageStartupMessages(library(survival))
# Competing risks, trial alpha, with people who come under observation only on day `since` (that day included).
# Once only: d <- read.csv("../b3_competing_alpha/data.csv"); i <- seq_len(nrow(d))
#            d$since <- ifelse(i %% 3 == 0, (i * 37) %% 300, 0); write.csv(d, "data.csv", row.names = FALSE)
d <- read.csv("data.csv"); o <- list()
d$before <- d$since - 1; d$left_out <- d$time < d$since
o$left_out <- lapply(setNames(0:1, c("group_0", "group_1")), function(a) sum(d$left_out & d$arm == a))
d <- d[!d$left_out, ]; d$state <- factor(d$cr_status, 0:2, c("cens", "event", "competing"))
ctl <- coxph.control(eps = 1e-11, iter.max = 100); days <- c(180, 540, 900)   # what happened below a day
# Greenwood's covariance of the matrix Aalen-Johansen estimate, one multinomial at a time (states: free, event, competing).
greenwood <- function(k, upto) {
  P <- diag(3); V <- matrix(0, 9, 9); out <- list()
  for (t in sort(unique(k$time[k$cr_status > 0]))) { if (t > upto) break
    n <- sum(k$before < t & k$time >= t); q <- c(sum(k$time == t & k$cr_status == 1), sum(k$time == t & k$cr_status == 2)) / n
    A <- diag(3); A[1, ] <- c(1 - sum(q), q)
    S <- matrix(0, 9, 9); at <- c(1, 4, 7)                       # the first row of A, its entries columnwise
    S[at, at] <- rbind(cbind(sum(q) * (1 - sum(q)), -t(q * (1 - sum(q)))), cbind(-q * (1 - sum(q)), diag(q) - q %*% t(q))) / n
    V <- kronecker(t(A), diag(3)) %*% V %*% kronecker(A, diag(3)) + kronecker(diag(3), P) %*% S %*% kronecker(diag(3), t(P))
    P <- P %*% A }
  c(estimate = P[1, 2], se = sqrt(V[4, 4]))
}
for (a in 0:1) { k <- d[d$arm == a, ]; k$id <- factor(k$id)
  aj <- summary(survfit(Surv(before, time, state) ~ 1, k, id = id), times = days - 1, extend = TRUE)
  own <- sapply(days - 1, function(t) greenwood(k, t))
  stopifnot(max(abs(own["estimate", ] - aj$pstate[, 2])) < 1e-12)
  km <- survfit(Surv(before, time, cr_status > 0) ~ 1, k); left <- summary(km, rmean = 900)$table
  # the area under the incidence up to day 900
  full <- survfit(Surv(before, time, state) ~ 1, k, id = id); use <- full$time < 900
  area <- sum(diff(c(full$time[use], 900)) * full$pstate[use, 2])
  o[[paste0("group_", a)]] <- list(n = nrow(k), first_day = min(k$since), days = days,
    at_risk = sapply(days, function(t) sum(k$before < t & k$time >= t)),
    incidence = own["estimate", ], incidence_se = own["se", ],
    restricted_mean_900 = left[["rmean"]], restricted_mean_900_se = left[["se(rmean)"]], time_since_900 = area) }
for (ties in c("efron", "breslow")) for (by in c("plain", "site")) {
  fm <- if (by == "site") Surv(before, time, cr_status == 1) ~ arm + strata(site) else Surv(before, time, cr_status == 1) ~ arm
  f <- coxph(fm, d, ties = ties, control = ctl); o[[paste("cox", ties, by, sep = "_")]] <- list(coef = unname(coef(f)), se = sqrt(f$var[1]))
  if (ties == "efron") { z <- cox.zph(f, transform = "km")$table[1, ]; o[[paste0("zph_", by)]] <- list(chisq = z[["chisq"]], p = z[["p"]]) } }
d$coach <- as.integer(sub("A", "", d$id)) %% 20
f <- coxph(Surv(before, time, cr_status == 1) ~ arm + cluster(coach), d, control = ctl)
o$cox_efron_cluster_20 <- list(coef = unname(coef(f)), se = sqrt(f$var[1]))
# one ratio up to day 179 and one from day 180: survSplit cuts after the day given
s <- survSplit(Surv(before, time, cr_status == 1) ~ ., d[c("before", "time", "cr_status", "arm", "site")], cut = 179, episode = "period", start = "begin", end = "end", event = "had")
s$period <- factor(s$period); f <- coxph(Surv(begin, end, had) ~ arm:period + strata(period, site), s, control = ctl)
o$by_period_180 <- list(coef = unname(coef(f)), se = unname(sqrt(diag(f$var))))
wlr <- function(k) { U <- V <- 0
  for (t in unique(k$time[k$cr_status == 1])) { r <- k$before < t & k$time >= t; n <- sum(r); n1 <- sum(r & k$arm == 1)
    e <- k$time == t & k$cr_status == 1; m <- sum(e); U <- U + sum(e & k$arm == 1) - m * n1 / n
    if (n > 1) V <- V + m * n1 / n * (1 - n1 / n) * (n - m) / (n - 1) }
  c(U = U, V = V) }
parts <- list(plain = wlr(d), site = Reduce(`+`, lapply(split(d, d$site), wlr)))
o$log_rank <- lapply(parts, function(x) list(chisq = x[["U"]]^2 / x[["V"]], p = pchisq(x[["U"]]^2 / x[["V"]], 1, lower.tail = FALSE)))
write_expected(o, "survival")
