# Means of amounts with many zeros on the log scale, and their difference: a t interval with Satterthwaite's degrees
# of freedom, those of each arm being the people with any, less one; and from the limits of both arms.
# Reads the inputs of a neighbouring case.
source("../lib/util.R")
g <- read.csv("../g1_nonnormal_alpha/data.csv")

# log(mean) is the intercept of a model with a log link; its robust standard error has n - 1 as that of a mean has.
arm <- function(y) { fit <- glm(y ~ 1, family = quasipoisson, epsilon = 1e-14, maxit = 100); n <- length(y)
  mu <- exp(unname(coef(fit))); bread <- 1/(n*mu)   # of the last fit; vcov() is one step behind
  list(log_mean = log(mu), se = bread*sqrt(sum((y - mu)^2)*n/(n - 1)), df = sum(y > 0) - 1) }
limits <- function(a, level) exp(a$log_mean + c(-1, 1)*qt((1 + level)/2, a$df)*a$se)

# Zou & Donner (2008), equation 6; p: where the limit on the side of 0 is 0.
joined <- function(a, b, level) { m <- exp(c(a$log_mean, b$log_mean)); one <- limits(a, level); other <- limits(b, level)
  m[1] - m[2] + c(-sqrt((m[1] - one[1])^2 + (other[2] - m[2])^2), sqrt((one[2] - m[1])^2 + (m[2] - other[1])^2)) }
p_value <- function(a, b) { side <- if (a$log_mean > b$log_mean) 1 else 2
  uniroot(function(p) joined(a, b, 1 - p)[side], c(1e-10, 1 - 1e-10), tol = 1e-14, maxiter = 10000)$root }

# The difference is the coefficient of the arm in a regression of all; its variance is the HC2 one, which is
# s1^2/n1 + s0^2/n0. The degrees of freedom are 2 E(v)^2 / Var(v), each arm's v having variance 2 v^2 / (workers - 1).
workers <- function(y, arm) { fit <- lm(y ~ arm); h <- hatvalues(fit); x <- model.matrix(fit); b <- solve(crossprod(x))
  se <- sqrt((b %*% crossprod(x*residuals(fit)/sqrt(1 - h)) %*% b)[2, 2]); d <- unname(coef(fit)[2])
  v <- tapply(y, arm, function(z) var(z)/length(z)); w <- tapply(y > 0, arm, sum); df <- 2*sum(v)^2/sum(2*v^2/(w - 1))
  list(difference = d, se = se, df = df, p = 2*pt(-abs(d/se), df), level_95 = d + c(-1, 1)*qt(.975, df)*se,
       level_90 = d + c(-1, 1)*qt(.95, df)*se) }

o <- lapply(setNames(nm = c("comp_hours_540", "comp_days_540")), function(v) {
  a <- lapply(setNames(1:0, c("arm1", "arm0")), function(k) arm(g[g$arm == k, v]))
  levels <- setNames(c(.95, .9), c("level_95", "level_90"))
  c(lapply(a, function(x) c(list(mean = exp(x$log_mean), df = x$df), lapply(levels, function(l) limits(x, l)))),
    list(joined = c(lapply(levels, function(l) joined(a$arm1, a$arm0, l)), list(p = p_value(a$arm1, a$arm0))),
    workers = workers(g[[v]], g$arm))) })
write_expected(o)
