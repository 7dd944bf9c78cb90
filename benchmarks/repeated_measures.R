# Called by repeated_measures.py: the folder of measure.R and the folder of the columns.
suppressPackageStartupMessages(library(nlme))
given <- commandArgs(trailingOnly = TRUE)
source(file.path(given[1], "measure.R"))
read <- function(name) read_column(given[2], name, "double", 8)
y <- read("y")
X <- matrix(read("design"), nrow = length(y)); colnames(X) <- paste0("x", seq_len(ncol(X)))
rows <- data.frame(y, X, person = read("person"), visit = read("visit") + 1, visit_f = factor(read("visit")))
model <- reformulate(c("0", colnames(X)), "y")

fit <- function(rows) {
  m <- gls(model, rows, correlation = corSymm(form = ~ visit | person), weights = varIdent(form = ~ 1 | visit_f),
           method = "REML", control = glsControl(opt = "optim", maxIter = 200, msMaxIter = 1000))
  c(coef(m), sqrt(diag(vcov(m))))
}
invisible(fit(rows[rows$person < 60, ]))
report(function() fit(rows))
