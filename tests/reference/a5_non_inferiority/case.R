source("../lib/util.R"); source("../lib/prop.R")
# Score tests at a margin: closed forms of lib/prop.R, and beside them the constrained maximum by optimize().
d <- read.csv("data.csv")
by_search <- function(x1, n1, x0, n0, null, ratio) {
  p1 <- function(p0) if (ratio) null * p0 else p0 + null
  lo <- if (ratio) 0 else max(0, -null); hi <- if (ratio) min(1, 1 / null) else min(1, 1 - null)
  f <- function(p) dbinom(x1, n1, min(1, max(0, p1(p))), log = TRUE) + dbinom(x0, n0, p, log = TRUE)
  p0 <- optimize(f, c(lo, hi), maximum = TRUE, tol = 1e-12)$maximum; q <- p1(p0)
  w <- if (ratio) null else 1
  v <- q * (1 - q) / n1 + w^2 * p0 * (1 - p0) / n0
  (x1 / n1 - (if (ratio) null * x0 / n0 else x0 / n0 + null)) / sqrt(v)
}
one <- function(t) { s <- if (t$higher_is_better) 1 else -1; ratio <- t$measure == "ratio"
  f <- if (ratio) rr_z else rd_z; a <- list(t$null, t$x1, t$n1, t$x0, t$n0)
  z <- s * c(do.call(f, c(a, TRUE)), do.call(f, c(a, FALSE)))
  list(miettinen_nurminen = z[1], miettinen_nurminen_p = pnorm(-z[1]),
       farrington_manning = z[2], farrington_manning_p = pnorm(-z[2]),
       farrington_manning_by_search = s * by_search(t$x1, t$n1, t$x0, t$n0, t$null, ratio)) }
write_expected(lapply(split(d, factor(d$test, d$test)), one))
