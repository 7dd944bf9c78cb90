# Means, differences and probabilities per arm and month: combinations of coefficients of nlme, lme4 and geepack.
source("../lib/util.R"); suppressPackageStartupMessages({library(nlme); library(lme4); library(pbkrtest); library(geepack)})
all <- read.csv("../c5_lmm_mmrm_alpha/data.csv"); months <- c(6, 12, 18, 24, 30)
people <- all[!duplicated(all$id), ]; people$base <- people$qol0 - mean(people$qol0)
all$base <- people$base[match(all$id, people$id)]
all$work <- (all$prior_work_months - mean(people$prior_work_months)) / 12
people$work <- (people$prior_work_months - mean(people$prior_work_months)) / 12
control <- glsControl(tolerance = 1e-12, msTol = 1e-14, opt = "optim", maxIter = 1000, msMaxIter = 10000)

# Columns: a level per month, an effect of the arm per compared month, the covariate.
columns <- function(month, arm, levels, compared) cbind(outer(month, levels, "=="), outer(month, compared, "==") * arm)
weights <- function(levels, compared, covariates = 1) {
  each <- expand.grid(month = levels, arm = 0:1)
  L <- cbind(columns(each$month, each$arm, levels, compared), matrix(0, nrow(each), covariates))
  rownames(L) <- paste0("arm_", each$arm, "_month_", each$month)
  for (a in 0:1) { L <- rbind(L, colMeans(L[each$arm == a & each$month %in% compared, ])); rownames(L)[nrow(L)] <- paste0("arm_", a, "_average") }
  names <- c(paste0("month_", compared), "average")
  D <- L[paste0("arm_1_", names), ] - L[paste0("arm_0_", names), ]; rownames(D) <- paste0("difference_", names)
  rbind(L, D)
}
combined <- function(L, b, V) { v <- L %*% V %*% t(L); data.frame(of = rownames(L), estimate = as.vector(L %*% b), se = sqrt(diag(v))) }
interaction_rows <- function(L, compared) { D <- L[paste0("difference_month_", compared), ]; D[-1, , drop = FALSE] - D[rep(1, length(compared) - 1), ] }
wald_f <- function(R, b, V) as.numeric(t(R %*% b) %*% solve(R %*% V %*% t(R), R %*% b)) / nrow(R)

# The baseline with one effect, or with one of its own at each month.
baseline <- function(d, by_month) if (by_month) outer(d$month, months, "==") * d$base else cbind(d$base)
mmrm <- function(d, levels, compared, by_month = FALSE) {
  d$visit <- match(d$month, levels); d$month_f <- factor(d$month)
  X <- columns(d$month, d$arm, levels, compared); colnames(X) <- paste0("x", seq_len(ncol(X)))
  B <- if (!any(levels == 0)) baseline(d, by_month) else matrix(0, nrow(d), 0)
  colnames(B) <- if (ncol(B)) paste0("b", seq_len(ncol(B)))
  d <- cbind(d, X, B); fm <- reformulate(c("0", colnames(X), colnames(B)), "qol")
  g <- gls(fm, d, correlation = corSymm(form = ~ visit | id), weights = varIdent(form = ~ 1 | month_f), method = "REML", control = control)
  L <- weights(levels, compared, ncol(B))
  list(rows = combined(L, coef(g), vcov(g)), f = wald_f(interaction_rows(L, compared), coef(g), vcov(g)), loglik_reml = as.numeric(logLik(g)))
}
seen <- all[!is.na(all$qol), ]
start <- people; start$month <- 0; start$qol <- start$qol0
both <- rbind(seen, start[, names(seen)])

kenward_roger <- function(random, by_month = FALSE) {
  X <- cbind(columns(seen$month, seen$arm, months, months), baseline(seen, by_month))
  colnames(X) <- paste0("x", seq_len(ncol(X))); d <- cbind(seen, X)
  m <- lmer(as.formula(paste("qol ~ 0 +", paste(colnames(X), collapse = "+"), "+", random)), d, REML = TRUE,
            control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), check.conv.singular = "ignore"))
  L <- weights(months, months, ncol(X) - 10); rows <- combined(L, fixef(m), as.matrix(vcovAdj(m)))
  rows$df <- apply(L, 1, function(l) get_Lb_ddf(m, l))
  R <- interaction_rows(L, months); k <- KRmodcomp(m, R)$test["Ftest", ]
  list(rows = rows, f = k$stat, ndf = k$ndf, ddf = k$ddf, p = k$p.value)
}

gee <- function() {
  d <- all[!is.na(all$employed), ]; d <- d[order(d$pid, d$month), ]
  X <- cbind(columns(d$month, d$arm, months, months), d$work)
  colnames(X) <- paste0("x", seq_len(ncol(X))); g <- geese.fit(X, d$employed, d$pid, family = binomial(), corstr = "exchangeable", control = geese.control(epsilon = 1e-12, maxit = 1000))
  b <- g$beta; V <- g$vbeta; each <- expand.grid(month = months, arm = 0:1)
  made <- lapply(seq_len(nrow(each)), function(i) { n <- nrow(people)
    X <- cbind(columns(rep(each$month[i], n), rep(each$arm[i], n), months, months), people$work); p <- plogis(as.vector(X %*% b)); list(p = mean(p), G = colMeans(p * (1 - p) * X)) })
  p <- sapply(made, `[[`, "p"); C <- t(sapply(made, `[[`, "G")) %*% V %*% sapply(made, `[[`, "G")
  rd <- p[6:10] - p[1:5]; D <- cbind(-diag(5), diag(5)); A <- rbind(rep(c(1, 0), each = 5), rep(c(0, 1), each = 5)) / 5
  list(alpha = g$alpha, n_people = length(unique(d$pid)), log_odds_ratio = unname(b[6:10]), log_odds_ratio_se = unname(sqrt(diag(V))[6:10]),
       p = p, p_se = sqrt(diag(C)), difference = rd, difference_se = sqrt(diag(D %*% C %*% t(D))),
       average = as.vector(A %*% p), average_se = sqrt(diag(A %*% C %*% t(A))))
}

ancova <- function(month) {
  d <- seen[seen$month == month, ]; f <- lm(qol ~ arm + base, d); X <- model.matrix(f); B <- solve(crossprod(X))
  V <- B %*% crossprod(X * residuals(f) / (1 - hatvalues(f))) %*% B; L <- rbind(arm_0 = c(1, 0, 0), arm_1 = c(1, 1, 0), difference = c(0, 1, 0))
  c(list(df = f$df.residual), list(rows = combined(L, coef(f), V)))
}
write_expected(list(mmrm = mmrm(seen, months, months), mmrm_by_month = mmrm(seen, months, months, by_month = TRUE),
                    random_intercept_by_month = kenward_roger("(1 | id)", by_month = TRUE), shared_baseline = mmrm(both, c(0, months), months),
                    random_intercept = kenward_roger("(1 | id)"), random_slope = kenward_roger("(1 + month | id)"),
                    gee = gee(), ancova_18 = ancova(18)), c("nlme", "lme4", "pbkrtest", "geepack"))
