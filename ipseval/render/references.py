"""Where each method of the results is described; names are those of the ``method`` column."""

from __future__ import annotations

#: Method -> where it is described. A method without one is arithmetic.
REFERENCES: dict[str, str] = {
    "wilson": "Wilson (1927), Journal of the American Statistical Association 22:209-212",
    "clopper_pearson": "Clopper & Pearson (1934), Biometrika 26:404-413",
    "mid_p": "Berry & Armitage (1995), The Statistician 44:417-423",
    "jeffreys": "Brown, Cai & DasGupta (2001), Statistical Science 16:101-133",
    "agresti_coull": "Agresti & Coull (1998), The American Statistician 52:119-126",
    "newcombe": (
        "Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Altman (1998), BMJ 317:1309-1312"
    ),
    "miettinen_nurminen": "Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226",
    "agresti_caffo": "Agresti & Caffo (2000), The American Statistician 54:280-288",
    "koopman": "Koopman (1984), Biometrics 40:513-517",
    "log": "Katz, Baptista, Azen & Pike (1978), Biometrics 34:469-474",
    "exact_unconditional": (
        "Chan & Zhang (1999), Biometrics 55:1202-1209; Chan (1998), Statistics in Medicine 17:1403-1413"
    ),
    "barnard": "Suissa & Shuster (1985), Journal of the Royal Statistical Society A 148:317-327",
    "boschloo": "Boschloo (1970), Statistica Neerlandica 24:1-9",
    "miettinen_nurminen_least_favourable": "Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226",
    "miettinen_nurminen_test": "Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226",
    "stratified_miettinen_nurminen_test": "Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226",
    "standardisation_test": (
        "Ye, Bannick, Yi & Shao (2023), Statistical Theory and Related Fields 7:159-163"
    ),
    "farrington_manning": "Farrington & Manning (1990), Statistics in Medicine 9:1447-1454",
    "clustered_test": "Bell & McCaffrey (2002), Survey Methodology 28:169-181",
    "clustered_test_least_favourable": "Bell & McCaffrey (2002), Survey Methodology 28:169-181",
    "standardisation_clustered_test": (
        "Ye, Bannick, Yi & Shao (2023), Statistical Theory and Related Fields 7:159-163; "
        "Satterthwaite (1946), Biometrics Bulletin 2:110-114 (degrees of freedom)"
    ),
    "linear_clustered": "Bell & McCaffrey (2002), Survey Methodology 28:169-181",
    "standardisation_clustered": (
        "Ye, Bannick, Yi & Shao (2023), Statistical Theory and Related Fields 7:159-163; "
        "Satterthwaite (1946), Biometrics Bulletin 2:110-114 (degrees of freedom)"
    ),
    "poisson_clustered": (
        "Zou (2004), American Journal of Epidemiology 159:702-706; "
        "Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics 36:672-683"
    ),
    "stratified_newcombe": "Yan & Su (2010), Statistics in Biopharmaceutical Research 2:329-335",
    "stratified_miettinen_nurminen": "Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226",
    "mantel_haenszel_sato": "Sato (1989), Biometrics 45:1323-1324",
    "mantel_haenszel": "Greenland & Robins (1985), Biometrics 41:55-68",
    "cochran_mantel_haenszel": (
        "Cochran (1954), Biometrics 10:417-451; "
        "Mantel & Haenszel (1959), Journal of the National Cancer Institute 22:719-748"
    ),
    "fisher_exact": "Fisher (1935), Journal of the Royal Statistical Society 98:39-82",
    "n_minus_1_chi_square": "Campbell (2007), Statistics in Medicine 26:3661-3675",
    "aalen_johansen": "Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141-150",
    "aalen_johansen_log_log": "Zou & Donner (2008), Statistics in Medicine 27:1693-1702",
    "ghosh_lin": "Ghosh & Lin (2000), Biometrics 56:554-562",
    "ghosh_lin_log_t": (
        "Ghosh & Lin (2000), Biometrics 56:554-562; Zou & Donner (2008), Statistics in Medicine 27:1693-1702"
    ),
    "ghosh_lin_test": "Ghosh & Lin (2000), Biometrics 56:554-562",
    "andersen_gill": (
        "Andersen & Gill (1982), Annals of Statistics 10:1100-1120; "
        "Lin, Wei, Yang & Ying (2000), Journal of the Royal Statistical Society B 62:711-730"
    ),
    "equal_precision_band": (
        "Nair (1984), Technometrics 26:265-275; Lin (1997), Statistics in Medicine 16:901-910"
    ),
    "pseudo_values_ancova": "Andersen, Hansen & Klein (2004), Lifetime Data Analysis 10:335-350",
    "kaplan_meier": "Kaplan & Meier (1958), Journal of the American Statistical Association 53:457-481",
    "log_rank": "Mantel (1966), Cancer Chemotherapy Reports 50:163-170",
    "fleming_harrington": (
        "Fleming & Harrington (1991), Counting Processes and Survival Analysis, section 7.2"
    ),
    "gehan": "Gehan (1965), Biometrika 52:203-223",
    "gray": "Gray (1988), Annals of Statistics 16:1141-1154",
    "fine_gray": "Fine & Gray (1999), Journal of the American Statistical Association 94:496-509",
    "cox_breslow": "Breslow (1974), Biometrics 30:89-99",
    "cox_gamma_frailty": "Therneau, Grambsch & Pankratz (2003), JCGS 12:156-175",
    "cox_efron": (
        "Cox (1972), Journal of the Royal Statistical Society B 34:187-220; "
        "Efron (1977), Journal of the American Statistical Association 72:557-565"
    ),
    "score_test": "Grambsch & Therneau (1994), Biometrika 81:515-526",
    "adaptive_gauss_hermite_25": (
        "Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4:12-35; "
        "Zeger, Liang & Albert (1988), Biometrics 44:1049-1060"
    ),
    **dict.fromkeys(
        (
            "random_slope_logistic",
            "random_slope_logistic_laplace",
            "nested_site_logistic",
            "nested_site_logistic_laplace",
        ),
        "Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4:12-35; "
        "Rabe-Hesketh, Skrondal & Pickles (2005), Journal of Econometrics 128:301-323",
    ),
    "cloglog_gauss_hermite_25": (
        "Prentice & Gloeckler (1978), Biometrics 34:57-67; "
        "Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4:12-35"
    ),
    "likelihood_ratio": "Wilks (1938), Annals of Mathematical Statistics 9:60-62",
    "likelihood_ratio_at_zero": (
        "Self & Liang (1987), Journal of the American Statistical Association 82:605-610"
    ),
    **dict.fromkeys(
        (
            "mmrm_unstructured",
            "mmrm_heterogeneous_ar1",
            "mmrm_heterogeneous_compound_symmetry",
            "mmrm_ar1",
            "mmrm_compound_symmetry",
        ),
        "Mallinckrodt, Clark & David (2001), Journal of Biopharmaceutical Statistics 11:9-21; "
        "Kenward & Roger (1997), Biometrics 53:983-997",
    ),
    **dict.fromkeys(
        ("linear_random_intercept", "linear_random_slope"),
        "Laird & Ware (1982), Biometrics 38:963-974; Kenward & Roger (1997), Biometrics 53:983-997",
    ),
    **dict.fromkeys(
        ("gee_exchangeable", "gee_ar1", "gee_unstructured", "gee_independence", "gee_rates"),
        "Liang & Zeger (1986), Biometrika 73:13-22; Mancl & DeRouen (2001), Biometrics 57:126-134",
    ),
    "t_workers": (
        "Bang & Tsiatis (2000), Biometrika 87:329-343 (people lost); "
        "Satterthwaite (1946), Biometrics Bulletin 2:110-114 (degrees of freedom)"
    ),
    "bootstrap_percentile": "Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3",
    "bootstrap_bca": "Efron (1987), Journal of the American Statistical Association 82:171-185",
    "log_t_joined": "Zou & Donner (2008), Statistics in Medicine 27:1693-1702",
    "welch": "Welch (1947), Biometrika 34:28-35",
    "brunner_munzel_logit": "Brunner & Munzel (2000), Biometrical Journal 42:17-25",
    "stratified_brunner_munzel_logit": (
        "Kawaguchi, Koch & Wang (2011), Statistics in Biopharmaceutical Research 3:217-231"
    ),
    "wilcoxon": "Mann & Whitney (1947), Annals of Mathematical Statistics 18:50-60",
    "van_elteren": "van Elteren (1960), Bulletin of the International Statistical Institute 37:351-361",
    "hodges_lehmann": "Hodges & Lehmann (1963), Annals of Mathematical Statistics 34:598-611",
    "hedges_g": "Hedges (1981), Journal of Educational Statistics 6:107-128",
    "ancova": "Long & Ervin (2000), American Statistician 54:217-224 (HC3)",
    **dict.fromkeys(
        ("two_part", "two_part_any", "two_part_positive", "two_part_bootstrap"),
        "Duan, Manning, Morris & Newhouse (1983), Journal of Business & Economic Statistics 1:115-126",
    ),
    "hurdle": "Mullahy (1986), Journal of Econometrics 33:341-365",
    **dict.fromkeys(
        ("negative_binomial", "negative_binomial_model", "negative_binomial_mixed"),
        "Lawless (1987), Canadian Journal of Statistics 15:209-225",
    ),
}
