# Two repeated outcomes of the same people: one drawn with a random intercept and slope, one with people within sites.
set.seed(20261122)
people <- 220; months <- c(6, 12, 18, 24, 30)
arm <- rep(0:1, length.out = people); site <- rep(1:11, each = 20)
level <- rnorm(people, sd = 1.4); course <- -0.3 * level / 1.4 + rnorm(people, sd = 0.9)
own <- rnorm(people, sd = 1.5); place <- rnorm(11, sd = 0.8)
d <- expand.grid(month = months, id = seq_len(people)); d$years <- d$month / 12
d$arm <- arm[d$id]; d$site <- site[d$id]
fixed <- -1.2 + 0.4 * d$arm + 0.2 * d$years + 0.3 * d$arm * d$years
d$work <- rbinom(nrow(d), 1, plogis(fixed + level[d$id] + course[d$id] * d$years))
d$job <- rbinom(nrow(d), 1, plogis(fixed + own[d$id] + place[d$site]))
seen <- runif(nrow(d)) > 0.04 * match(d$month, months)
d <- d[seen, c("id", "arm", "site", "month", "years", "work", "job")]
write.csv(d, "data.csv", row.names = FALSE)
