source("../lib/util.R"); suppressPackageStartupMessages(library(survival))
# Mean time in each state up to tau under competing risks, with the infinitesimal-jackknife standard error:
# pseudo() returns theta + n * influence, so the variance is the sum of squared deviations over n^2.
sojourn_case <- function(file, group, taus) {
  d <- read.csv(file); out <- list()
  for (v in 0:1) { arm <<- d[d[[group]] == v, ]; n <- nrow(arm)   # global: pseudo() evaluates the call again
    f <- survfit(Surv(time, factor(cr_status, 0:2, c("cens", "event", "competing"))) ~ 1, arm)
    for (tau in taus) { p <- pseudo(f, times = tau, type = "sojourn"); m <- colMeans(p)
      r <- summary(f, rmean = tau)$table[, "rmean"]; stopifnot(max(abs(m - r)) < 1e-8 * tau)
      se <- sqrt(colSums(sweep(p, 2, m)^2)) / n; states <- c("event_free", "event", "competing")
      out[[paste0("group_", v)]][[paste0("tau_", tau)]] <- list(tau = tau, mean = as.list(setNames(unname(m), states)), se = as.list(setNames(unname(se), states))) } }
  out }
o <- list(alpha = sojourn_case("../b3_competing_alpha/data.csv", "arm", c(180, 365, 730, 900)),
          mgus2 = sojourn_case("../b4_competing_mgus2/data.csv", "female", c(60, 120, 240)))
write_expected(o, "survival")
