# The public names for type checkers and editors; tests/test_public_names.py compares with _HOME.

from ipseval import endpoints as endpoints
from ipseval._version import __version__ as __version__
from ipseval.deliver import (
    reproduce as reproduce,
    run_plan as run_plan,
)
from ipseval.disclosure import (
    Policy as Policy,
    protect as protect,
)
from ipseval.endpoints import (
    days_worked as days_worked,
    earnings as earnings,
    employed_at as employed_at,
    employed_monthly as employed_monthly,
    ever_employed as ever_employed,
    hours_worked as hours_worked,
    job_starts as job_starts,
    score as score,
    time_to_first_job as time_to_first_job,
    weeks_worked as weeks_worked,
)
from ipseval.errors import (
    AnalysisError as AnalysisError,
    DataError as DataError,
    IpsevalError as IpsevalError,
    IpsevalWarning as IpsevalWarning,
    PlanError as PlanError,
)
from ipseval.estimate.amounts.amounts import amounts as amounts
from ipseval.estimate.describe import describe as describe
from ipseval.estimate.times.interview_survival import interview_survival as interview_survival
from ipseval.estimate.repeated.mixed import mixed as mixed
from ipseval.estimate.proportions.rates import rates as rates
from ipseval.estimate.times.recurrent import recurrent as recurrent
from ipseval.estimate.times.survival import survival as survival
from ipseval.evidence.published import (
    published as published,
    published_results as published_results,
)
from ipseval.examples import example as example
from ipseval.loading import (
    inspect as inspect,
    load as load,
)
from ipseval.plan import (
    Plan as Plan,
    read_plan as read_plan,
)
from ipseval.render.figures import plot as plot
from ipseval.render.report import report as report
from ipseval.results import (
    PublicResults as PublicResults,
    Results as Results,
)
from ipseval.run import execute as execute
from ipseval.simulation import simulate as simulate
from ipseval.trial import (
    Design as Design,
    Trial as Trial,
)
