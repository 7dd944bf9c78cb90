# Amounts with drop-out, and two intervals by root finding. Reads the inputs of the neighbouring cases.
suppressPackageStartupMessages(library(survival)); source("../lib/util.R")
root <- function(f, lower, upper) uniroot(f, c(lower, upper), tol = 1e-14, maxiter = 10000)$root

# Days since the first job up to day 540, known in full for those who stayed that long or died before.
d <- read.csv("../b2_survival_alpha/data.csv"); ends <- c(180, 360, 540)
d$followed <- pmin(d$followup_days, 540)
d$complete <- d$followed == 540 | d$end_reason == "died"
days_to <- function(end) ifelse(d$status == 1, pmax(0, pmin(d$followed, end) - d$time), 0)
total <- matrix(days_to(540)); parts <- cbind(days_to(180), days_to(360) - days_to(180), days_to(540) - days_to(360))

# Completion comes before censoring on the same day: move it half a day ahead, and read K just before a day.
censored_mean <- function(d, amounts, ends, w) {
  km <- survfit(Surv(ifelse(complete, followed - 0.5, followed), !complete) ~ 1, d, weights = w)
  k <- stepfun(km$time, c(1, km$surv)); sum_ <- 0
  for (j in seq_along(ends)) { seen <- d$complete | d$followed >= ends[j]
    sum_ <- sum_ + sum((w*amounts[, j]/k(pmin(d$followed, ends[j]) - 0.25))[seen]) }
  sum_/sum(w) }
with_se <- function(d, amounts, ends) { n <- nrow(d); one <- rep(1, n); h <- 1e-4   # infinitesimal jackknife, numerically
  u <- vapply(seq_len(n), function(i) { up <- down <- one; up[i] <- 1 + h; down[i] <- 1 - h
    n*(censored_mean(d, amounts, ends, up) - censored_mean(d, amounts, ends, down))/(2*h) }, 1)
  list(n = n, n_complete = sum(d$complete), estimate = censored_mean(d, amounts, ends, one), se = sqrt(sum(u^2)/(n*(n - 1)))) }
arms <- function(amounts, ends) setNames(lapply(1:0, function(a) with_se(d[d$arm == a, ], amounts[d$arm == a, , drop = FALSE], ends)), c("arm1", "arm0"))
o <- list(weighted = arms(total, 540), partitioned = arms(parts, ends))

# Cohen's d: limits of the noncentrality at which the observed t is the 97.5th or 2.5th percentile.
g <- read.csv("../g1_nonnormal_alpha/data.csv")
o$standardised <- lapply(setNames(nm = c("qol18", "comp_hours_540")), function(v) {
  y1 <- na.omit(g[g$arm == 1, v]); y0 <- na.omit(g[g$arm == 0, v]); n1 <- length(y1); n0 <- length(y0); m <- n1 + n0 - 2
  t <- unname(t.test(y1, y0, var.equal = TRUE)$statistic)
  c(root(function(x) pt(t, m, x) - .975, t - 6, t + 6), root(function(x) pt(t, m, x) - .025, t - 6, t + 6))*sqrt(1/n1 + 1/n0) })

# Newcombe (2006) method 5: (theta - estimate)^2 = z^2 V(theta), Hanley-McNeil V with n1 - 1 and n0 - 1 averaged.
o$newcombe_5 <- lapply(list(c(.75, 20, 30), c(.618697478991597, 51, 56), c(1, 5, 7)), function(x) { p <- x[1]; n1 <- x[2]; n0 <- x[3]; a <- (n1 + n0)/2 - 1
  f <- function(th) (th - p)^2 - qnorm(.975)^2*th*(1 - th)*(1 + a*(1 - th)/(2 - th) + a*th/(1 + th))/(n1*n0)
  list(estimate = p, n1 = n1, n0 = n0, ci = c(root(f, 0, p - 1e-9), if (p < 1) root(f, p, 1) else 1)) })
write_expected(o, "survival")
