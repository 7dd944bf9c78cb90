# Logistic mixed models with a random slope, and with people within sites: Laplace by glmmTMB and lme4, and the
# likelihood itself by trapezoidal sums over the standardised random effects, maximised.
source("../lib/util.R"); suppressPackageStartupMessages({library(lme4); library(glmmTMB); library(numDeriv)})
d <- read.csv("data.csv"); d$id <- factor(d$id); d$site <- factor(d$site); d$month_f <- factor(d$month); months <- c(6, 12, 18, 24, 30)
gctl <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), check.conv.grad = "ignore", check.conv.singular = "ignore", tolPwrss = 1e-12)
tctl <- glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 4000, rel.tol = 1e-12))
design <- list(straight = ~ arm * years, by_month = ~ 0 + month_f + month_f:arm)
random <- list(random_slope = "(1 + years | id)", nested_site = "(1 | id) + (1 | site)")

# Variance of the random effects at a time in years, from glmmTMB's parameters: log sds, then r / sqrt(1 - r^2).
spread <- list(
  random_slope = function(q, t) { s <- exp(q[1:2]); r <- q[3] / sqrt(1 + q[3]^2); s[1]^2 + 2 * r * s[1] * s[2] * t + s[2]^2 * t^2 },
  nested_site = function(q, t) sum(exp(2 * q)))
pa <- function(eta, v) integrate(function(z) plogis(eta + sqrt(v) * z) * dnorm(z), -12, 12, rel.tol = 1e-11, subdivisions = 1000)$value
averages <- function(par, V, model) { p <- 10
  p_of <- function(q) as.vector(sapply(0:1, function(a) sapply(seq_along(months), function(j) pa(q[j] + a * q[5 + j], spread[[model]](q[-(1:p)], months[j] / 12)))))
  P <- p_of(par); J <- jacobian(p_of, par, method.args = list(r = 4)); C <- J %*% V %*% t(J); D <- cbind(-diag(5), diag(5))
  list(month = months, p0 = P[1:5], p1 = P[6:10], se0 = sqrt(diag(C))[1:5], se1 = sqrt(diag(C))[6:10], se_difference = sqrt(diag(D %*% C %*% t(D))), spread = unname(sqrt(sapply(months / 12, function(m) spread[[model]](par[-(1:p)], m))))) }

parts <- function(v) list(sd = unname(lapply(v, function(m) unname(attr(m, "stddev")))), correlation = unname(attr(v[[1]], "correlation")))
laplace <- function(y, form, model) {
  fm <- as.formula(paste(y, paste(deparse(design[[form]]), collapse = ""), "+", random[[model]]))
  t <- glmmTMB(fm, d, family = binomial, control = tctl); g <- glmer(fm, d, family = binomial, nAGQ = 1, control = gctl)
  q <- t$fit$par; gr <- function(par) as.vector(t$obj$gr(par)); p <- length(fixef(t)$cond)
  for (i in 1:4) q <- q - solve(jacobian(gr, q), gr(q))  # its optimiser stops early
  V <- solve(jacobian(gr, q)); V <- (V + t(V)) / 2; v <- unname(q[-(1:p)])
  o <- list(glmmTMB = list(coef = unname(q[1:p]), se = unname(sqrt(diag(V))[1:p]), sd = exp(v[1:2]), correlation = if (length(v) > 2) v[3] / sqrt(1 + v[3]^2),
    loglik = -as.numeric(t$obj$fn(q)), max_abs_gradient = max(abs(gr(q))), where_it_stopped = list(coef = unname(fixef(t)$cond), loglik = as.numeric(logLik(t)))),
    lme4 = c(list(coef = unname(fixef(g)), se = unname(sqrt(diag(as.matrix(vcov(g, use.hessian = TRUE))))), loglik = as.numeric(logLik(g))), parts(VarCorr(g))))
  if (form == "by_month") o$population_averaged <- averages(q, V, model)
  o
}

# log(sum exp) of the columns of a matrix; trapezoidal nodes of a standard normal
lse <- function(a) { m <- apply(a, 2, max); m + log(colSums(exp(sweep(a, 2, m)))) }
grid <- function(step, to) { z <- seq(-to, to, step); list(z = z, lw = dnorm(z, log = TRUE) + log(step)) }
# People with the same rows and outcomes are summed once.
distinct <- function(y, X, t, id) { rows <- split(seq_along(y), id); key <- sapply(rows, function(r) paste(c(X[r, ], t[r], y[r]), collapse = " "))
  cell <- match(key, unique(key)); list(rows = rows[!duplicated(key)], cell = cell, n = as.vector(table(cell))) }
# Random intercept and slope: L u, L = (l1, 0; l2, l3).
slope_ll <- function(step, to) { X <- model.matrix(design$straight, d); y <- d$work; t <- d$years
  k <- distinct(y, X, t, d$id); g <- grid(step, to); u <- expand.grid(a = g$z, b = g$z); lw <- as.vector(outer(g$lw, g$lw, "+")); p <- ncol(X)
  function(par) { e <- as.vector(X %*% par[1:p]); l <- par[p + 1:3]
    sum(k$n * sapply(k$rows, function(r) { eta <- outer(l[1] * u$a, e[r], "+") + outer(l[2] * u$a + l[3] * u$b, t[r])
      a <- as.vector(eta %*% y[r]) - rowSums(log1p(exp(eta))) + lw; m <- max(a); m + log(sum(exp(a - m))) })) }
}
# People within sites: sigma u + tau v.
site_ll <- function(step, outer_step, to) { X <- model.matrix(design$straight, d); y <- d$job
  k <- distinct(y, X, 0 * y, d$id); g <- grid(step, to); o <- grid(outer_step, to); p <- ncol(X); where <- d$site[!duplicated(d$id)]
  function(par) { e <- as.vector(X %*% par[1:p]); at <- outer(par[p + 1] * g$z, par[p + 2] * o$z, "+")
    person <- sapply(k$rows, function(r) { f <- g$lw; for (j in r) { q <- e[j] + at; f <- f + y[j] * q - log1p(exp(q)) }; lse(f) })
    sum(sapply(split(k$cell, where), function(cells) { a <- rowSums(person[, cells, drop = FALSE]) + o$lw; m <- max(a); m + log(sum(exp(a - m))) })) }
}
exact <- function(ll, finer, start, p) {
  par <- optim(start, function(q) -ll(q), method = "BFGS", control = list(reltol = 1e-10, maxit = 200))$par
  H <- hessian(ll, par, method.args = list(r = 3)); for (i in 1:3) par <- par - solve(H, grad(ll, par, method.args = list(r = 3)))
  V <- solve(-hessian(ll, par, method.args = list(r = 3))); se <- sqrt(diag(V))
  list(coef = par[1:p], se = se[1:p], loadings = par[-(1:p)], se_loadings = se[-(1:p)], loglik = ll(par), loglik_finer_grid = finer(par), max_abs_gradient = max(abs(grad(ll, par))))
}
out <- lapply(names(random), function(model) { y <- c(random_slope = "work", nested_site = "job")[[model]]
  setNames(lapply(names(design), function(form) laplace(y, form, model)), names(design)) }); names(out) <- names(random)
a <- out$random_slope$straight$glmmTMB; r <- a$correlation; s <- a$sd
out$random_slope$straight$exact <- exact(slope_ll(0.3, 6.6), slope_ll(0.2, 7), c(a$coef, s[1], s[2] * r, s[2] * sqrt(1 - r^2)), 4)
b <- out$nested_site$straight$glmmTMB
out$nested_site$straight$exact <- exact(site_ll(0.5, 0.2, 6.6), site_ll(0.25, 0.1, 7), c(b$coef, b$sd), 4)
write_expected(out, c("lme4", "glmmTMB", "numDeriv"))
