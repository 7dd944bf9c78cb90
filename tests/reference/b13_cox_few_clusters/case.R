source("../lib/util.R"); suppressPackageStartupMessages({library(survival); library(sandwich)})
# Cause-specific hazard of the event, trial alpha; twelve made clusters (number of the person modulo 12).
d <- read.csv("../b3_competing_alpha/data.csv"); d$number <- as.integer(sub("A", "", d$id))
ctl <- coxph.control(eps = 1e-11, iter.max = 100)
d$coach <- d$number %% 12
# vcovCL of sandwich 3.0.2 takes no model with a single covariate: age shows what it does.
two <- coxph(Surv(time, cr_status == 1) ~ arm + age, d, control = ctl)
o <- list(with_age = list(coef = coef(two), se = sqrt(diag(vcovCL(two, cluster = d$coach, type = "HC0", cadjust = TRUE)))))
t_case <- function(f, se, df) list(coef = unname(coef(f)), se = se, df = df, p = 2 * pt(-abs(unname(coef(f)) / se), df),
  lower = unname(coef(f)) - qt(.975, df) * se, upper = unname(coef(f)) + qt(.975, df) * se)
# Coaches in arm 1 only: everyone in arm 0 is a cluster of one, and these are a sample of their own.
by_coach <- function(f) {
  u <- as.vector(rowsum(residuals(f, "dfbeta"), d$coach)); G <- length(u)
  u1 <- as.vector(rowsum(residuals(f, "dfbeta")[d$arm == 1], d$coach[d$arm == 1])); u0 <- residuals(f, "dfbeta")[d$arm == 0]
  v <- c(sum(u1^2) * length(u1) / (length(u1) - 1), sum(u0^2) * length(u0) / (length(u0) - 1)); g <- c(length(u1), length(u0))
  list(both_arms = t_case(f, sqrt(sum(u^2) * G / (G - 1)), G - 1), one_arm = t_case(f, sqrt(sum(v)), sum(v)^2 / sum(v^2 / (g - 1))))
}
o <- c(o, by_coach(coxph(Surv(time, cr_status == 1) ~ arm, d, control = ctl)))
o$within_sites <- by_coach(coxph(Surv(time, cr_status == 1) ~ arm + strata(site), d, control = ctl))
write_expected(o, c("survival", "sandwich"))
