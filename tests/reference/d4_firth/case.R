source("../lib/util.R"); suppressPackageStartupMessages(library(brglm2))
data(endometrial); e <- endometrial; d <- read.csv("../d1_gcomp_alpha/data.csv"); o <- list()
write.csv(e, "data.csv", row.names = FALSE, quote = FALSE)
# Penalised log-likelihood, maximised without derivatives of it: a second route to everything below.
pll <- function(b, X, y) { p <- plogis(as.vector(X %*% b)); sum(dbinom(y, 1, p, log = TRUE)) + determinant(crossprod(X * sqrt(p * (1 - p))))$modulus[1] / 2 }
top <- function(X, y, j = NULL, at = 0, start = rep(0, ncol(X))) {
  full <- function(t) { b <- t; if (!is.null(j)) b <- append(t, at, j - 1); pll(b, X, y) }
  s <- if (is.null(j)) start else start[-j]; f <- function(t) -full(t); r <- list(par = s)
  for (i in 1:4) r <- optim(r$par, f, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000)); r <- nlm(f, r$par, gradtol = 1e-10, steptol = 1e-12, iterlim = 1000); -r$minimum }
case <- function(fm, d) { X0 <- model.matrix(fm, d); y <- model.response(model.frame(fm, d))
  f <- glm(fm, binomial, d, method = "brglmFit", type = "AS_mean", control = list(epsilon = 1e-12, maxit = 1000)); b <- coef(f); se <- sqrt(diag(vcov(f)))
  # in units of the standard errors, which helps the optimisers and changes the penalty by a constant
  X <- sweep(X0, 2, se, "*"); b1 <- b / se; m <- pll(b1, X, y); shift <- sum(log(se)); stopifnot(abs(top(X, y, start = b1 + .1) - m) < 1e-8)
  q <- qchisq(.95, 1) / 2; r <- sapply(seq_along(b), function(j) { g <- function(t) m - top(X, y, j, t, b1) - q
    c(p = pchisq(2 * (m - top(X, y, j, 0, b1)), 1, lower.tail = FALSE), lower = uniroot(g, b1[j] + c(-12, 0), tol = 1e-9)$root * se[j], upper = uniroot(g, b1[j] + c(0, 12), tol = 1e-9)$root * se[j]) })
  list(names = names(b), coef = unname(b), se = unname(se), penalised_log_likelihood = m - shift, p = unname(r["p", ]), lower = unname(r[2, ]), upper = unname(r[3, ])) }
o$endometrial <- case(HG ~ NV + PI + EH, e)
o$alpha <- case(employed18 ~ arm + age + female + prior_work_months, d)
write_expected(o, "brglm2")
