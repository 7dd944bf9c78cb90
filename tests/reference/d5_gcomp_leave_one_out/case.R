source("../lib/util.R")
# Standardised risks with the randomisation variance of Ye et al. (2023), everyone predicted from the others: by
# one Newton step from the fit to all, and by refitting the model without each person. (Not dfbeta(): up to R 4.2
# at least, its step for a glm is made of deviance residuals.)
leave_one_out <- function(d, y, arm, fm, strata = NULL) {
  control <- glm.control(epsilon = 1e-14, maxit = 100)
  f <- glm(fm, binomial, d, control = control); b <- coef(f); y <- d[[y]]; a <- d[[arm]]; n <- nrow(d); i1 <- a == 1; pi <- c(mean(i1), mean(!i1))
  X <- lapply(c(1, 0), function(v) { e <- d; e[[arm]] <- v; model.matrix(delete.response(terms(f)), e) })
  p <- vapply(X, function(x) mean(plogis(x %*% b)), 1)
  all_in <- matrix(b, n, length(b), byrow = TRUE)
  predicted <- function(B) vapply(X, function(x) plogis(rowSums(x * B)), numeric(n))   # B: a row of coefficients per person
  covariance <- function(B, by = NULL) {
    m <- predicted(B); own <- cbind(i1, !i1); r <- y - m
    C <- matrix(0, 2, 2)
    for (k in 1:2) for (l in 1:2) { first <- cov(y[own[, k]], m[own[, k], l]); second <- cov(y[own[, l]], m[own[, l], k]); C[k, l] <- first + second - cov(m[, k], m[, l]) }
    for (k in 1:2) C[k, k] <- C[k, k] + var(r[own[, k], k])/pi[k]
    if (!is.null(by)) {   # permuted blocks within strata: Bannick et al. (2025)
      r <- y - predicted(all_in)   # of the model as fitted
      for (s in split(seq_len(n), by)) { R <- vapply(1:2, function(k) mean(r[s[own[s, k]], k]), 1)/pi; C <- C - length(s)/n * (R %o% R) * (diag(pi) - pi %o% pi) }
    }
    C/n
  }
  contrasts <- function(v) { z <- qnorm(.975); rd <- p[1] - p[2]; l <- log(p[1]/p[2]); o <- qlogis(p[1]) - qlogis(p[2])
    se <- function(g) sqrt(as.numeric(t(g) %*% v %*% g)); s <- c(se(c(1, -1)), se(c(1, -1)/p), se(c(1, -1)/(p*(1 - p))))
    list(se_p1 = sqrt(v[1, 1]), se_p0 = sqrt(v[2, 2]), cov_p1_p0 = v[1, 2], rd_se = s[1], rd_lower = rd - z*s[1], rd_upper = rd + z*s[1], rd_p = 2*pnorm(-abs(rd/s[1])),
      log_rr_se = s[2], rr_lower = exp(l - z*s[2]), rr_upper = exp(l + z*s[2]), log_or_se = s[3], or_lower = exp(o - z*s[3]), or_upper = exp(o + z*s[3])) }
  one_step <- all_in - (model.matrix(f) * ((y - fitted(f))/(1 - hatvalues(f)))) %*% vcov(f)
  refitted <- t(vapply(seq_len(n), function(i) coef(glm(fm, binomial, d[-i, ], control = control)), b))
  fits <- list(in_sample = all_in, one_step = one_step, refitted = refitted)
  o <- list(n = n, p1 = p[1], p0 = p[2], variance = lapply(fits, function(B) contrasts(covariance(B))))
  if (!is.null(strata)) o$variance_within_strata <- lapply(fits, function(B) contrasts(covariance(B, d[[strata]])))
  o
}
d <- read.csv("../d1_gcomp_alpha/data.csv"); birth <- read.csv("../d2_gcomp_birthwt/data.csv"); birth$race <- factor(birth$race); o <- list()
o$unadjusted <- leave_one_out(d, "employed18", "arm", employed18 ~ arm, "site")
o$adjusted <- leave_one_out(d, "employed18", "arm", employed18 ~ arm + age + female + prior_work_months + symptoms0, "site")
o$site <- leave_one_out(d, "employed18", "arm", employed18 ~ arm + prior_work_months + site, "site")
o$birthwt <- leave_one_out(birth, "low", "smoke", low ~ smoke + age + lwt + race + ptl + ht)
write_expected(o, character(0))
