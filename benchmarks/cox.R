# Called by cox.py: the folder of measure.R, the folder of the columns, and the arguments of cox.py.
suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
source(file.path(given[1], "measure.R"))
days <- read_column(given[2], "days", "integer", 4)
job <- read_column(given[2], "job", "integer", 4)
arm <- read_column(given[2], "arm", "integer", 4)
age <- read_column(given[2], "age", "double", 8)
# Both stop at the same place, or the time of an iteration would be compared with that of another number of them.
until <- coxph.control(eps = 1e-12)

calls <- list(
  R = function() {
    fit <- coxph(Surv(days, job) ~ arm + age, control = until)
    c(coef(fit), sqrt(diag(vcov(fit))))
  },
  "R, coxph.fit alone" = function() {
    fit <- coxph.fit(cbind(arm, age), Surv(days, job), NULL, NULL, NULL, until, NULL, "efron", NULL)
    c(fit$coefficients, sqrt(diag(fit$var)))
  }
)
report(calls[[given[which(given == "--engine") + 1]]])
