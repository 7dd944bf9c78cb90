# Models of amounts with drop-out, ranks within sites, and a BCa interval. Reads the input of case c7.
suppressPackageStartupMessages({library(survival); library(numDeriv); library(MASS); library(boot)}); source("../lib/util.R")
d <- read.csv("../c7_counts_alpha/data.csv"); n <- nrow(d); o <- list(); x <- d$prior_work_months

# ---- two-part model. Case weights w multiply the weights for drop-out; both are estimated anew for every w.
d$complete <- d$exposure_days == 540; d$any <- as.integer(d$hours > 0); ctl <- glm.control(epsilon = 1e-15, maxit = 100)
lost <- function(w) { k <- numeric(n)                                # 1/K before one's own last day, arm by arm
  for (a in 0:1) { m <- d$arm == a; e <- d[m, ]; e$w <- w[m]
    f <- survfit(Surv(ifelse(complete, exposure_days - 0.5, exposure_days), !complete) ~ 1, e, weights = w)
    k[m] <- ifelse(e$complete, 1/stepfun(f$time, c(1, f$surv))(e$exposure_days - 0.25), 0) }
  k }
two_part <- function(w, rhs, weighted) { e <- d; e$v <- w*(if (weighted) lost(w) else 1)
  b <- glm(as.formula(paste("any ~", rhs)), quasibinomial, e, weights = v, control = ctl)
  g <- glm(as.formula(paste("hours ~", rhs)), Gamma("log"), e[e$any == 1 & e$v > 0, ], weights = v, control = ctl)
  m <- vapply(1:0, function(a) { e$arm <- a; sum(w*predict(b, e, type = "response")*predict(g, e, type = "response"))/sum(w) }, 1)
  unname(c(m, coef(b)["arm"], coef(g)["arm"])) }
jackknifed <- function(f, k) { one <- rep(1, n); h <- 1e-4          # infinitesimal jackknife, numerically
  u <- t(vapply(seq_len(n), function(i) { up <- down <- one; up[i] <- 1 + h; down[i] <- 1 - h; n*(f(up) - f(down))/(2*h) }, numeric(4)))
  list(estimate = f(one), covariance = crossprod(u)/(n*(n - k))) }
for (q in list(list("plain", "arm", FALSE, 2), list("adjusted", "arm + prior_work_months", FALSE, 3), list("weighted", "arm + prior_work_months", TRUE, 3)))
  o$two_part[[q[[1]]]] <- jackknifed(function(w) two_part(w, q[[2]], q[[3]]), q[[4]])

# ---- negative binomial, variance mu + alpha mu^2: sandwich of coefficients and log(alpha), numerical derivatives
X <- cbind(1, d$arm, x); off <- log(d$exposure_days); y <- d$weeks_worked
ll <- function(p) dnbinom(y, size = exp(-p[4]), mu = exp(off + as.vector(X %*% p[1:3])), log = TRUE)
f <- glm.nb(weeks_worked ~ arm + prior_work_months + offset(log(exposure_days)), d, init.theta = 0.2, control = glm.control(epsilon = 1e-14, maxit = 500))
p <- c(coef(f), -log(f$theta)); p <- p - solve(hessian(function(p) sum(ll(p)), p), grad(function(p) sum(ll(p)), p))
H <- -hessian(function(p) sum(ll(p)), p); S <- jacobian(ll, p) %*% solve(H)
m <- function(p, a) mean(540*exp(cbind(1, a, x) %*% p[1:3])); G <- rbind(grad(m, p, a = 1), grad(m, p, a = 0))
drift <- cbind(540*exp(cbind(1, 1, x) %*% p[1:3]) - m(p, 1), 540*exp(cbind(1, 0, x) %*% p[1:3]) - m(p, 0)); psi <- n*S %*% t(G) + drift
o$negative_binomial <- list(coefficients = unname(p[1:3]), alpha = unname(exp(p[4])), log_likelihood = sum(ll(p)), model = unname(solve(H)[1:3, 1:3]),
  robust = unname(crossprod(S)[1:3, 1:3]*n/(n - 3)), means = c(m(p, 1), m(p, 0)), means_robust = unname(crossprod(psi)/(n*(n - 3))),
  means_model = unname(G %*% solve(H) %*% t(G) + crossprod(drift)/n^2))

# ---- hurdle: logistic for any, zero-truncated negative binomial for weeks if any
hurdle <- function(w) { b <- glm(any ~ arm + prior_work_months, quasibinomial, d, weights = w, control = ctl); i <- which(y > 0)
  l <- function(p) { mu <- exp(off[i] + as.vector(X[i, ] %*% p[1:3])); s <- exp(-p[4]); sum(w[i]*(dnbinom(y[i], size = s, mu = mu, log = TRUE) - log1p(-exp(s*(log(s) - log(s + mu)))))) }
  p <- start; for (j in 1:4) p <- p - solve(hessian(l, p), grad(l, p))
  m <- function(a) { mu <- 540*exp(as.vector(cbind(1, a, x) %*% p[1:3])); s <- exp(-p[4]); sum(w*plogis(as.vector(cbind(1, a, x) %*% coef(b)))*mu/(1 - exp(s*(log(s) - log(s + mu)))))/sum(w) }
  unname(c(m(1), m(0), p[2], p[4])) }
start <- c(-3.38453446, .50983814, .01805215, -log(1.8613843))      # c7: glmmTMB; Newton's steps do the rest
o$hurdle <- jackknifed(hurdle, 3)

# ---- P(X1 > X0) + P(X1 = X0)/2 within sites, weights n1 n0/(n + 1); each site checked by survival::concordance
s <- lapply(split(d, d$site), function(e) { h1 <- e$hours[e$arm == 1]; h0 <- e$hours[e$arm == 0]; n1 <- length(h1); n0 <- length(h0)
  p1 <- vapply(h1, function(v) mean((v > h0) + (v == h0)/2), 1); p0 <- vapply(h0, function(v) mean((v > h1) + (v == h1)/2), 1)
  k <- concordance(arm ~ hours, e); stopifnot(abs(k$concordance - mean(p1)) < 1e-12, abs(k$var - sum((p1 - mean(p1))^2)/n1^2 - sum((p0 - mean(p0))^2)/n0^2) < 1e-12)
  c(w = n1*n0/(n1 + n0 + 1), p = mean(p1), v = var(p1)/n1 + var(p0)/n0) })
s <- do.call(rbind, s); p <- sum(s[, "w"]*s[, "p"])/sum(s[, "w"]); se <- sqrt(sum(s[, "w"]^2*s[, "v"]))/sum(s[, "w"]); z <- qlogis(p)/(se/(p*(1 - p)))
o$stratified_superiority <- list(estimate = p, std_error = se, z = z, p_value = 2*pnorm(-abs(z)), ci = plogis(qlogis(p) + c(-1, 1)*qnorm(.975)*se/(p*(1 - p))))

# ---- BCa of a difference in means, people drawn within their arm
set.seed(20140601); diff_ <- function(e, w) with(e, sum((w*hours)[arm == 1])/sum(w[arm == 1]) - sum((w*hours)[arm == 0])/sum(w[arm == 0]))
b <- boot(d, diff_, R = 999, strata = d$arm, stype = "w"); L <- empinf(b, type = "inf")
o$bca <- list(estimate = b$t0, draws = as.vector(b$t), influence = L, acceleration = sum(L^3)/(6*sum(L^2)^1.5), ci = boot.ci(b, type = "bca", L = L)$bca[4:5])
write_expected(o, c("survival", "numDeriv", "MASS", "boot"))
