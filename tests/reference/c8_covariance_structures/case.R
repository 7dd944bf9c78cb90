source("../lib/util.R"); suppressPackageStartupMessages(library(nlme))
d <- read.csv("../c5_lmm_mmrm_alpha/data.csv"); d <- d[!is.na(d$qol), ]
d$visit <- match(d$month, c(6, 12, 18, 24, 30)); d$month <- factor(d$month); d$arm_f <- factor(d$arm)
# groupwise: the same model in the people of one arm, for a covariance per arm
fit <- function(correlation, weights, data = d, fm = qol ~ arm_f * month + qol0) {
  g <- gls(fm, data, correlation = correlation, weights = weights, method = "REML",
           control = glsControl(tolerance = 1e-12, msTol = 1e-14, opt = "optim", maxIter = 1000, msMaxIter = 10000))
  list(coef = coef(g), se = sqrt(diag(vcov(g))), loglik_reml = as.numeric(logLik(g)),
       sd = unname(g$sigma / attr(g$modelStruct$varStruct, "weights")[match(1:5, data$visit)]),
       common_sd = g$sigma, correlation = unname(coef(g$modelStruct$corStruct, unconstrained = FALSE))[1])
}
vary <- varIdent(form = ~ 1 | month)
o <- list(ar1 = fit(corAR1(form = ~ visit | id), NULL), compound_symmetry = fit(corCompSymm(form = ~ visit | id), NULL),
          heterogeneous_ar1 = fit(corAR1(form = ~ visit | id), vary),
          heterogeneous_compound_symmetry = fit(corCompSymm(form = ~ visit | id), vary))
own <- qol ~ month + qol0
for (a in 0:1) o[[paste0("ar1_arm_", a)]] <- fit(corAR1(form = ~ visit | id), NULL, d[d$arm == a, ], own)
write_expected(o, "nlme")
