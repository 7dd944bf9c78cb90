source("../lib/util.R"); suppressPackageStartupMessages({library(lme4); library(numDeriv); library(geepack)})
control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), check.conv.grad = "ignore", tolPwrss = 1e-12)
# log p and log(1 - p) of each link, without cancellation
log_p <- list(logit = function(t) plogis(t, log.p = TRUE), cloglog = function(t) log(-expm1(-exp(t))))
log_q <- list(logit = function(t) plogis(-t, log.p = TRUE), cloglog = function(t) -exp(t))
inverse <- list(logit = plogis, cloglog = function(t) -expm1(-exp(t)))
slope_p <- list(logit = function(t) plogis(-t), cloglog = function(t) exp(t) / expm1(exp(t)))
slope_q <- list(logit = function(t) -plogis(t), cloglog = function(t) -exp(t))
# the log-likelihood by brute force: the trapezoidal rule over z = b / sd, 145 nodes, nothing adaptive
z <- seq(-9, 9, by = 0.125); density <- dnorm(z) * 0.125
model <- function(y, n, X, id, link) { id <- as.integer(factor(id)); p <- ncol(X)
  parts <- function(par) { t <- outer(as.vector(X %*% par[1:p]), exp(par[p + 1]) * z, "+"); l <- (n - y) * log_q[[link]](t); s <- y > 0; l[s, ] <- l[s, ] + y[s] * log_p[[link]](t[s, ]); list(t = t, cell = exp(rowsum(l, id))) }
  value <- function(par) -sum(log(parts(par)$cell %*% density)) - sum(lchoose(n, y))
  slope <- function(par) { q <- parts(par); w <- q$cell * rep(density, each = nrow(q$cell)); w <- (w / rowSums(w))[id, ]
    d <- w * (y * slope_p[[link]](q$t) + (n - y) * slope_q[[link]](q$t)); -c(crossprod(X, rowSums(d)), sum(d %*% z) * exp(par[p + 1])) }
  list(value = value, slope = slope, names = c(colnames(X), "log_sd")) }
climb <- function(m, start) { par <- nlminb(start, m$value, m$slope, control = list(rel.tol = 1e-14, x.tol = 1e-11))$par
  for (k in 1:3) par <- par - solve(jacobian(m$slope, par), m$slope(par)); par }
# the limits of one parameter at which the maximum over the others has fallen by chi-squared(0.95, 1) / 2
profile_limits <- function(m, par, se, j, bound = -Inf) { best <- m$value(par); drop <- qchisq(.95, 1) / 2
  at <- function(v) { put <- function(rest) append(rest, v, j - 1); nlminb(par[-j], function(r) m$value(put(r)), function(r) m$slope(put(r))[-j], control = list(rel.tol = 1e-13, x.tol = 1e-10))$objective - best - drop }
  side <- function(sign) { far <- par[j] + sign * 2.2 * se[j]; while (at(far) < 0) { far <- far + sign * se[j]; if (far < bound) return(-Inf) }; uniroot(at, sort(c(par[j] + sign * 1.5 * se[j], far)), tol = 1e-9)$root }
  c(side(-1), side(1)) }
fit <- function(y, n, X, id, link, start, profiled = integer(0)) { m <- model(y, n, X, id, link); p <- ncol(X)
  par <- climb(m, start); V <- solve(jacobian(m$slope, par)); V <- (V + t(V)) / 2; se <- sqrt(diag(V))
  limits <- lapply(setNames(profiled, m$names[profiled]), function(j) profile_limits(m, par, se, j, bound = if (j > p) log(1e-3) else -Inf))
  list(json = list(coef = as.list(setNames(par[1:p], colnames(X))), se = as.list(setNames(se[1:p], colnames(X))), sd = unname(exp(par[p + 1])), se_log_sd = unname(se[p + 1]), loglik = -m$value(par), max_abs_numerical_gradient = max(abs(grad(m$value, par))), profile_95 = limits), par = par, V = V) }
lme4_sum <- function(f) list(coef = as.list(fixef(f)), se_hessian = as.list(setNames(sqrt(diag(as.matrix(vcov(f, use.hessian = TRUE)))), names(fixef(f)))), sd = unname(f@theta), loglik = as.numeric(logLik(f)))
delta <- function(g, par, V) { s <- grad(g, par); list(estimate = g(par), se = sqrt(as.numeric(s %*% V %*% s))) }
marginal <- function(link, eta, sd) vapply(eta, function(e) integrate(function(v) inverse[[link]](e + sd * v) * dnorm(v), -Inf, Inf, rel.tol = 1e-11)$value, 1)
months <- c(6, 12, 18, 24, 30); width <- c(3, 6, 6, 6, 3)   # the trapezoidal rule over 6 to 30 months
areas <- function(p_of, par, V) { a <- function(rows) function(q) sum(width * p_of(q)[rows]); list(arm_0 = delta(a(1:5), par, V), arm_1 = delta(a(6:10), par, V),
  difference = delta(function(q) a(6:10)(q) - a(1:5)(q), par, V), log_ratio = delta(function(q) log(a(6:10)(q) / a(1:5)(q)), par, V)) }
o <- list()
# ---- trial alpha: a level per month, an effect of the arm per month
d <- read.csv("../c3_glmm_alpha/data.csv"); d <- d[!is.na(d$employed), ]; M <- sapply(months, function(m) as.numeric(d$month == m))
X <- cbind(M, M * d$arm); colnames(X) <- c(paste0("month_", months), paste0("arm_month_", months)); y <- d$employed; one <- rep(1, nrow(d))
L <- rbind(cbind(diag(5), 0 * diag(5)), cbind(diag(5), diag(5)))
for (link in c("logit", "cloglog")) { start <- c(coef(glm(y ~ X - 1, family = binomial(link))) * 1.5, .5); r <- list()
  a <- fit(y, one, X, d$id, link, start, profiled = 6:11); r$brute_force <- a$json
  g <- glmer(y ~ X - 1 + (1 | id), data = d, family = binomial(link), nAGQ = 25, control = control); r$glmer_nAGQ_25 <- lme4_sum(g)
  r$population_averaged <- lapply(1:10, function(i) delta(function(q) marginal(link, sum(L[i, ] * q[1:10]), exp(q[11])), a$par, a$V))
  r$area_6_to_30_months <- areas(function(q) marginal(link, as.vector(L %*% q[1:10]), exp(q[11])), a$par, a$V)
  alone <- fit(y, one, X[, 1:5], d$id, link, a$par[c(1:5, 11)]); common <- fit(y, one, cbind(X[, 1:5], arm = d$arm), d$id, link, a$par[c(1:6, 11)])
  r$loglik <- list(no_arm = alone$json$loglik, same_every_month = common$json$loglik, sd_zero = as.numeric(logLik(glm(y ~ X - 1, family = binomial(link)))))
  o[[paste0("alpha_", link)]] <- r }
# ---- estimating equations: the area under the curve, covariate years of prior work, as in c9
prior <- d$prior_work_months / 12; people <- unique(d[c("id", "prior_work_months")])
everyone <- read.csv("../data_alpha/participants.csv"); centre <- mean(everyone$prior_work_months / 12); prior <- prior - centre; all_prior <- everyone$prior_work_months / 12 - centre
w <- geese.fit(cbind(X, prior), y, id = as.integer(factor(d$id)), family = binomial(), corstr = "exchangeable", scale.fix = TRUE, control = geese.control(epsilon = 1e-12, maxit = 500))
o$alpha_gee <- list(area_6_to_30_months = areas(function(q) vapply(1:10, function(i) mean(plogis(sum(L[i, ] * q[1:10]) + all_prior * q[11])), 1), w$beta, w$vbeta))
# ---- grouped counts: cbpp, and ordinary complementary log-log regression of it
d <- read.csv("../c1_glmm_cbpp/data.csv"); X <- model.matrix(~ factor(period), d); colnames(X) <- c("one", "period2", "period3", "period4")
g0 <- glm(cbind(d$incidence, d$size - d$incidence) ~ X - 1, family = binomial("cloglog"), control = list(epsilon = 1e-14)); f0 <- function(b) -sum(dbinom(d$incidence, d$size, inverse$cloglog(as.vector(X %*% b)), log = TRUE))
o$cbpp_glm_cloglog <- list(coef = as.list(setNames(coef(g0), colnames(X))), observed_information = unname(hessian(f0, coef(g0))), loglik = -f0(coef(g0)))
o$cbpp_cloglog <- list(brute_force = fit(d$incidence, d$size, X, d$herd, "cloglog", c(coef(g0), -.3))$json, glmer_nAGQ_25 = lme4_sum(glmer(cbind(incidence, size - incidence) ~ X - 1 + (1 | herd), data = d, family = binomial("cloglog"), nAGQ = 25, control = control)))
write_expected(o, c("lme4", "numDeriv", "geepack"))
