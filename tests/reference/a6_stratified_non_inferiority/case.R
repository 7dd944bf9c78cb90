source("../lib/util.R")
# Stratified score test at a margin, Miettinen and Nurminen (1985): rates at the constrained maximum found by optimize(),
# weights that reproduce themselves found by repetition.
d <- read.csv("data.csv")
at <- function(s, null) {
  rates <- function(k) { x1 <- s$x1[k]; n1 <- s$n1[k]; x0 <- s$x0[k]; n0 <- s$n0[k]
    f <- function(p) { q <- min(1, max(0, p + null)); dbinom(x1, n1, q, log = TRUE) + dbinom(x0, n0, p, log = TRUE) }
    ends <- c(max(0, -null), min(1, 1 - null)); p <- c(ends, optimize(f, ends, maximum = TRUE, tol = 1e-13)$maximum)
    p <- p[which.max(vapply(p, f, 1))]; c(p + null, p) }
  R <- vapply(seq_len(nrow(s)), rates, numeric(2)); w <- s$n1 * s$n0 / (s$n1 + s$n0); w <- w / sum(w)
  for (i in 1:500) { m <- R %*% w; v <- 1 / (m[1] * (1 - m[1]) / s$n1 + m[2] * (1 - m[2]) / s$n0); w <- v / sum(v) }
  V <- (R[1, ] * (1 - R[1, ]) / s$n1 + R[2, ] * (1 - R[2, ]) / s$n0) * (s$n1 + s$n0) / (s$n1 + s$n0 - 1)
  sum(w * (s$x1 / s$n1 - s$x0 / s$n0 - null)) / sqrt(sum(w^2 * V))
}
one <- function(s) { better <- s$higher_is_better[1] == 1; null <- if (better) -s$margin[1] else s$margin[1]
  s <- s[s$n1 > 0 & s$n0 > 0, ]; z <- at(s, null) * if (better) 1 else -1
  list(statistic = z, p = pnorm(-z)) }
write_expected(lapply(split(d, factor(d$table, unique(d$table))), one))
