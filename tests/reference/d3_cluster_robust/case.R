source("../lib/util.R"); suppressPackageStartupMessages(library(clubSandwich))
d <- read.csv("../d1_gcomp_alpha/data.csv"); o <- list()
# Job coaches in arm 1 only: every site's people are dealt to two coaches in turn; in arm 0 everyone is alone.
turn <- ave(seq_len(nrow(d)), d$site, d$arm, FUN = seq_along)
d$coach <- ifelse(d$arm == 1, paste(d$site, ifelse(turn %% 3 == 0, "a", "b")), d$id)
tight <- glm.control(epsilon = 1e-14, maxit = 100)
models <- list(linear = lm(employed18 ~ arm + age + prior_work_months, d),
  logistic = glm(employed18 ~ arm + age + prior_work_months, binomial, d, control = tight),
  poisson = glm(employed18 ~ arm + age + prior_work_months, poisson, d, control = tight))
for (m in names(models)) for (g in c("site", "coach")) {
  r <- list(); for (t in c("CR0", "CR1", "CR1S", "CR2", "CR3")) r[[t]] <- unname(sqrt(diag(as.matrix(vcovCR(models[[m]], d[[g]], type = t)))))
  r$satterthwaite_df_CR2 <- coef_test(models[[m]], vcovCR(models[[m]], d[[g]], type = "CR2"), test = "Satterthwaite")$df_Satt
  o[[m]][[g]] <- r }
wcsv <- function(x, f) write.csv(x, f, row.names = FALSE, quote = FALSE)
wcsv(d[, c("id", "arm", "site", "coach", "age", "prior_work_months", "employed18")], "data.csv")
write_expected(o, "clubSandwich")
