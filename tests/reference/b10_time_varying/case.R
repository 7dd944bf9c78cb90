source("../lib/util.R"); suppressPackageStartupMessages(library(survival))
# An effect that changes with time, residuals at the events, and tests and means under delayed entry.
d <- read.csv("../b2_survival_alpha/data.csv")
ctl <- coxph.control(eps = 1e-12, iter.max = 100)
fitted <- function(f, se = "var") list(coef = unname(coef(f)), se = unname(sqrt(diag(f[[se]]))), loglik = f$loglik[2])
o <- list()
for (ties in c("efron", "breslow")) {
  constant <- coxph(Surv(time, status) ~ arm, d, ties = ties, control = ctl)
  for (cuts in list(180, c(180, 540))) {
    s <- survSplit(Surv(time, status) ~ ., d, cut = cuts, episode = "period", start = "begin", zero = -1)
    for (period in unique(s$period)) s[[paste0("arm_", period)]] <- s$arm * (s$period == period)
    f <- coxph(as.formula(paste("Surv(begin, time, status) ~", paste0("arm_", unique(s$period), collapse = " + "))), s, ties = ties, control = ctl)
    test <- 2 * (f$loglik[2] - constant$loglik[2])
    o[[paste("by_period", ties, paste(cuts, collapse = "_"), sep = "_")]] <- c(fitted(f), list(
      n_event = as.vector(tapply(s$status, s$period, sum)), same_chisq = test, same_df = length(cuts),
      same_p = pchisq(test, length(cuts), lower.tail = FALSE)))
  }
  f <- coxph(Surv(time, status) ~ arm + age + tt(arm), d, ties = ties, tt = function(x, t, ...) x * log(t), control = ctl)
  o[[paste0("log_time_", ties)]] <- fitted(f)
  o[[paste0("log_time_", ties)]]$vcov <- unname(vcov(f))
}
f <- coxph(Surv(time, status) ~ arm + age, d, control = ctl)
o$schoenfeld <- list(time = cox.zph(f, transform = "identity", terms = FALSE)$time, raw = unname(residuals(f, "schoenfeld")), scaled = unname(residuals(f, "scaledsch")), coef = unname(coef(f)))
# A natural spline through the scaled residuals of the arm; standard errors as in plot.cox.zph.
y <- residuals(f, "scaledsch")[, 1]; x <- o$schoenfeld$time; at <- c(min(x), 100, 300, 500, 700, max(x))
B <- cbind(1, splines::ns(x, df = 3)); P <- cbind(1, predict(splines::ns(x, df = 3), at)); XX <- solve(crossprod(B))
o$smoothed <- list(time = at, coef = drop(P %*% XX %*% crossprod(B, y)), se = sqrt(vcov(f)[1, 1] * length(x) * rowSums((P %*% XX) * P)))
h <- read.csv("../b5_left_truncation_heart/data.csv")
# With exact ties the score test is the log-rank test with its hypergeometric variance.
tests <- list(plain = Surv(start, stop, event) ~ transplant, stratified = Surv(start, stop, event) ~ transplant + strata(surgery))
o$log_rank_delayed_entry <- lapply(tests, function(formula) { f <- coxph(formula, h, ties = "exact", control = ctl); list(chisq = f$score, p = pchisq(f$score, 1, lower.tail = FALSE)) })
m <- summary(survfit(Surv(start, stop, event) ~ transplant, h), rmean = 400)$table
o$rmean_delayed_entry <- list(tau = 400, mean = unname(m[, "rmean"]), se = unname(m[, "se(rmean)"]))
write_expected(o, "survival")
