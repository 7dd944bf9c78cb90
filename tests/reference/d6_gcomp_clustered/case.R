source("../lib/util.R")
# Standardised risks: what each person adds (augmented estimator, everyone predicted from the others by one Newton
# step, or by the model as fitted), summed by cluster and squared. Each kind of G clusters has its own G / (G - 1).
d <- read.csv("../d3_cluster_robust/data.csv"); n <- nrow(d); own <- cbind(d$arm == 1, d$arm == 0); share <- colMeans(own)
f <- glm(employed18 ~ arm + age + prior_work_months, binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100))
X <- lapply(c(1, 0), function(v) { e <- d; e$arm <- v; model.matrix(delete.response(terms(f)), e) })
p <- vapply(X, function(x) mean(plogis(x %*% coef(f))), 1)
all_in <- matrix(coef(f), n, length(coef(f)), byrow = TRUE)
one_step <- all_in - (model.matrix(f) * ((d$employed18 - fitted(f)) / (1 - hatvalues(f)))) %*% vcov(f)
added <- function(B) { m <- vapply(X, function(x) plogis(rowSums(x * B)), numeric(n)); r <- own * (d$employed18 - m)
  (sweep(sweep(r, 2, colMeans(r)), 2, share, "/") + sweep(m, 2, colMeans(m))) / n }
contrasts <- function(kinds) {
  one <- function(g, value) { v <- vapply(kinds, function(u) sum((u %*% g)^2) * nrow(u) / (nrow(u) - 1), 1)
    df <- sum(v)^2 / sum(v^2 / (vapply(kinds, nrow, 1) - 1)); se <- sqrt(sum(v))
    list(estimate = value, se = se, df = df, p = 2 * pt(-abs(value / se), df), lower = value - qt(.975, df) * se, upper = value + qt(.975, df) * se) }
  list(difference = one(c(1, -1), p[1] - p[2]), log_ratio = one(c(1, -1) / p, log(p[1] / p[2])), log_odds_ratio = one(c(1, -1) / (p * (1 - p)), qlogis(p[1]) - qlogis(p[2]))) }
d$modulo <- as.integer(sub("A", "", d$id)) %% 12
by <- function(B) { u <- added(B); i <- d$arm == 1
  list(coach_in_one_arm = contrasts(list(rowsum(u[i, ], d$coach[i]), u[!i, ])), twelve_in_both_arms = contrasts(list(rowsum(u, d$modulo)))) }
write_expected(list(n = n, p1 = p[1], p0 = p[2], one_step = by(one_step), in_sample = by(all_in)))
