# Counts of a person in successive periods: negative binomial (NB2) with a normal intercept per person.
source("../lib/util.R")
suppressPackageStartupMessages({library(glmmTMB); library(lme4); library(numDeriv)})

# Seizures of 59 people in four periods of two weeks (Thall & Vail 1990), from MASS.
e <- MASS::epil
epil <- with(e, data.frame(person = subject, y, base8 = log(base/4), progabide = as.integer(trt == "progabide"), period4 = V4))
write.csv(epil, "epil.csv", row.names = FALSE)

# Simulated: 120 people in two arms, up to four periods, some seen for a part of their last one.
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(20221122)
n <- 120; periods <- 4; d <- expand.grid(period = 1:periods, person = 1:n); d$arm <- as.integer(d$person %% 2 == 0)
last <- ifelse(runif(n) < .3, sample(periods, n, TRUE), periods); d <- d[d$period <= last[d$person], ]
d$exposure <- ifelse(d$period == last[d$person] & last[d$person] < periods, round(runif(nrow(d), 20, 180)), 182)
u <- rnorm(n, 0, .9); mu <- d$exposure/182*exp(.7 + .15*d$period + .4*d$arm + u[d$person]); d$y <- rnbinom(nrow(d), size = 1/.6, mu = mu)
write.csv(d, "data.csv", row.names = FALSE)

# Adaptive Gauss-Hermite quadrature, written anew; alpha = 0 is Poisson.
gh <- statmod::gauss.quad(25, "hermite")
log_f <- function(y, m, alpha) if (alpha > 0) dnbinom(y, size = 1/alpha, mu = m, log = TRUE) else dpois(y, m, log = TRUE)
agq <- function(par, y, X, o, who, poisson = FALSE) { p <- ncol(X); s <- exp(par[p + 1]); a <- if (poisson) 0 else exp(par[p + 2])
  eta <- as.vector(X %*% par[1:p]) + o; who <- as.integer(factor(who)); b <- numeric(max(who)); of <- function(v) rowsum(v, who)[, 1]
  bend <- function(b) { m <- exp(eta + b[who]); of(m*(1 + a*y)/(1 + a*m)^2) + 1/s^2 }
  for (i in 1:100) { m <- exp(eta + b[who]); step <- (of((y - m)/(1 + a*m)) - b/s^2)/bend(b); step <- pmax(-1, pmin(1, step)); b <- b + step; if (max(abs(step)) < 1e-13) break }
  k <- bend(b); L <- sapply(1:25, function(j) { at <- b + sqrt(2/k)*gh$nodes[j]; of(log_f(y, exp(eta + at[who]), a)) + dnorm(at, 0, s, log = TRUE) + gh$nodes[j]^2 + log(gh$weights[j]) })
  top <- apply(L, 1, max); sum(top + log(rowSums(exp(L - top))) + .5*log(2/k)) }
# The same integrals by R's adaptive quadrature, which needs no mode.
brute <- function(par, y, X, o, who) { p <- ncol(X); s <- exp(par[p + 1]); a <- exp(par[p + 2]); eta <- as.vector(X %*% par[1:p]) + o
  sum(vapply(split(seq_along(y), who), function(rows) { f <- function(b) vapply(b, function(z) exp(sum(log_f(y[rows], exp(eta[rows] + z), a)) + 40), 1)*dnorm(b, 0, s)
    log(integrate(f, -9*s, 9*s, rel.tol = 1e-11, subdivisions = 2000)$value) - 40 }, 1)) }

fits <- function(formula, d, X, o) { who <- d$person; y <- d$y
  t <- glmmTMB(formula, d, family = nbinom2, control = glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 4000, rel.tol = 1e-10)))
  V <- vcov(t, full = TRUE); sd <- attr(VarCorr(t)$cond$person, "stddev")[[1]]; p <- ncol(X)
  start <- c(fixef(t)$cond, log(sd), -log(sigma(t))); f <- function(par) -agq(par, y, X, o, who)
  best <- nlminb(start, f, control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 1000))$par
  for (k in 1:3) best <- best - solve(hessian(f, best), grad(f, best))
  W <- solve(hessian(f, best)); q <- glmer(update(formula, . ~ .), d, family = poisson, nAGQ = 25, control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6), tolPwrss = 1e-13))
  nb <- glmer.nb(formula, d, control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
  list(glmmTMB_laplace = list(coef = unname(fixef(t)$cond), se = unname(sqrt(diag(V)))[1:p], sd = sd, alpha = 1/sigma(t), loglik = as.numeric(logLik(t))),
       agq_25 = list(coef = unname(best[1:p]), se = sqrt(diag(W))[1:p], sd = unname(exp(best[p + 1])), alpha = unname(exp(best[p + 2])), se_log_sd = sqrt(W[p + 1, p + 1]), se_log_alpha = sqrt(W[p + 2, p + 2]),
         loglik = agq(best, y, X, o, who), loglik_integrate = brute(best, y, X, o, who), covariance = unname(W)),
       glmer_nb = list(coef = unname(fixef(nb)), sd = attr(VarCorr(nb)$person, "stddev")[[1]], alpha = 1/getME(nb, "glmer.nb.theta"), loglik = as.numeric(logLik(nb))),
       poisson_agq_25 = list(coef = unname(fixef(q)), sd = attr(VarCorr(q)$person, "stddev")[[1]], loglik = agq(c(fixef(q), log(attr(VarCorr(q)$person, "stddev")[[1]])), y, X, o, who, poisson = TRUE))) }

d$level <- factor(d$period); X <- cbind(model.matrix(~ 0 + level, d), model.matrix(~ 0 + level, d)*d$arm)
o <- list(trial = fits(y ~ 0 + level + level:arm + offset(log(exposure)) + (1 | person), d, X, log(d$exposure)),
          epil = fits(y ~ base8*progabide + period4 + (1 | person), epil, model.matrix(~ base8*progabide + period4, epil), rep(0, nrow(epil))))
# Means over people for 182 days of each period, both arms, by the delta method on (coefficients, log sd).
b <- o$trial$agq_25; W <- b$covariance[1:9, 1:9]; at <- c(b$coef, log(b$sd)); L <- rbind(cbind(diag(4), 0*diag(4)), cbind(diag(4), diag(4)))
m <- function(par) 182*exp(as.vector(L %*% par[1:8]) + exp(2*par[9])/2); J <- jacobian(m, at)
o$trial$means <- list(mean = m(at), covariance = J %*% W %*% t(J))
# The rates themselves, population-averaged: working independence, sandwich over people, and Mancl and DeRouen's by hand.
g <- geepack::geeglm(y ~ 0 + level + level:arm + offset(log(exposure)), family = poisson, data = d, id = person, corstr = "independence", control = geepack::geese.control(epsilon = 1e-14, maxit = 100))
mu <- d$exposure*exp(as.vector(X %*% coef(g))); B <- solve(crossprod(X*mu, X)); meat <- 0*B
for (rows in split(seq_along(mu), d$person)) { x <- X[rows, , drop = FALSE]; H <- mu[rows]*(x %*% B %*% t(x)); s <- t(x) %*% solve(diag(length(rows)) - H, d$y[rows] - mu[rows]); meat <- meat + s %*% t(s) }
o$trial$gee_independence <- list(coef = unname(coef(g)), se_robust = unname(sqrt(diag(vcov(g)))), se_mancl_derouen = unname(sqrt(diag(B %*% meat %*% B))))
write_expected(o, c("glmmTMB", "TMB", "lme4", "numDeriv", "statmod", "MASS", "geepack"))
