source("../lib/util.R"); suppressPackageStartupMessages(library(survival))
# Gamma shared frailty, with the search for the variance carried to its end: at the default eps = 1e-5 it stops
# when the likelihood changes by 1e-5 of itself, which for veteran is 3% short of the maximum.
write.csv(subset(rats, sex == "f", c(litter, rx, time, status)), "rats.csv", row.names = FALSE)
control <- coxph.control(eps = 1e-11, toler.chol = 1e-13, iter.max = 200, outer.max = 200)
gamma_case <- function(d, names, cluster) {
  rhs <- sprintf("%s + frailty(%s, distribution = 'gamma', sparse = FALSE, eps = 1e-13)", paste(names, collapse = " + "), cluster)
  f <- coxph(as.formula(paste("Surv(time, status) ~", rhs)), d, control = control)
  k <- seq_along(names); h <- f$history[[1]]
  list(coef = as.list(setNames(unname(coef(f)[k]), names)), se = as.list(setNames(sqrt(diag(f$var))[k], names)),
       theta = unname(h$theta), integrated_loglik = unname(h$c.loglik), log_frailties = unname(coef(f)[-k]), n = f$n, n_event = f$nevent)
}
v <- read.csv("../b1_survival_veteran/data.csv"); v$test <- as.integer(v$trt == 2)
o <- list(veteran = gamma_case(v, c("test", "karno", "age", "prior"), "celltype"), rats = gamma_case(read.csv("rats.csv"), "rx", "litter"))
write_expected(o, "survival")
