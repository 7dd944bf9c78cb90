# Called by log_rank.py: the folder of measure.R, the folder of the columns, and the arguments of log_rank.py.
suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
source(file.path(given[1], "measure.R"))
days <- read_column(given[2], "days", "integer", 4)
job <- read_column(given[2], "job", "integer", 4)
arm <- read_column(given[2], "arm", "integer", 4)

calls <- list(
  log_rank = function() survdiff(Surv(days, job) ~ arm)$chisq,
  restricted_mean = function() {
    found <- summary(survfit(Surv(days, job) ~ arm), rmean = 900)$table
    c(found[, "rmean"], found[, "se(rmean)"])
  }
)
report(calls[[if ("restricted_mean" %in% given) "restricted_mean" else "log_rank"]])
