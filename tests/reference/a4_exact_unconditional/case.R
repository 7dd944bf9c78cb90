source("../lib/util.R"); source("../lib/prop.R")
# Exact unconditional tests and limits by brute force: every table, 2001 nuisance proportions, optimize() around
# each peak among them. Score statistics from lib/prop.R; the scale N / (N - 1) does not change their order.
tables <- read.csv("data.csv")
statistics <- function(n1, n0, d)
  matrix(mapply(function(a, b) rd_z(d, a, n1, b, n0), rep(0:n1, n0 + 1), rep(0:n0, each = n1 + 1)), n1 + 1)
largest <- function(region, d) {
  n1 <- nrow(region) - 1; n0 <- ncol(region) - 1
  f <- function(p) sum(outer(dbinom(0:n1, n1, min(1, max(0, p + d))), dbinom(0:n0, n0, p))[region])
  p <- seq(max(0, -d), min(1, 1 - d), length.out = 2001); v <- vapply(p, f, 0); k <- length(p)
  peaks <- which(v >= c(-1, v[-k]) & v >= c(v[-1], -1) & v > max(v) * 0.99)
  found <- vapply(peaks, function(i) optimize(f, p[c(max(i - 1, 1), min(i + 1, k))], maximum = TRUE, tol = 1e-12)$objective, 0)
  min(1, max(v, found))
}
extreme <- function(s, x1, x0) { o <- s[x1 + 1, x0 + 1]
  s >= if (is.finite(o)) o - 1e-9 * max(abs(o), 1) else o }
score_p <- function(x1, n1, x0, n0, d) { s <- statistics(n1, n0, d)
  lapply(list(two_sided = abs(s), greater = s, less = -s), function(v) largest(extreme(v, x1, x0), d)) }
fisher_p <- function(x1, n1, x0, n0) {
  one <- function(side) { s <- matrix(mapply(function(a, b) {
      if (side == "greater") phyper(a - 1, n1, n0, a + b, lower.tail = FALSE) else phyper(a, n1, n0, a + b)
    }, rep(0:n1, n0 + 1), rep(0:n0, each = n1 + 1)), n1 + 1)
    largest(extreme(-log(s), x1, x0), 0) }
  g <- one("greater"); l <- one("less"); list(two_sided = min(1, 2 * min(g, l)), greater = g, less = l) }
# The smallest difference not rejected: every multiple of 1/200 from -1, then halving before the first.
lower <- function(x1, n1, x0, n0, tail) {
  if (x1 == 0 && x0 == n0) return(-1)
  kept <- function(d) largest(extreme(statistics(n1, n0, d), x1, x0), d) >= tail
  k <- -199; while (!kept(k / 200)) k <- k + 1
  lo <- (k - 1) / 200; hi <- k / 200
  for (i in 1:30) { m <- (lo + hi) / 2; if (kept(m)) hi <- m else lo <- m }
  hi }
one_table <- function(t) {
  a <- list(t$x1, t$n1, t$x0, t$n0)
  list(barnard = do.call(score_p, c(a, 0)), boschloo = do.call(fisher_p, a),
       at_minus_10_points = do.call(score_p, c(a, -0.1)),
       limits95 = c(lower(t$x1, t$n1, t$x0, t$n0, .025), -lower(t$x0, t$n0, t$x1, t$n1, .025))) }
o <- lapply(split(tables, factor(tables$table, tables$table)), one_table)
write_expected(o)
