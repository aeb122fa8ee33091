//! The documentation of metrics is what the programs declare.

use copymill_scheduler::metrics::Series;
use copymill_service::metrics::table;
use copymill_tests::repository;
use copymill_worker::metrics::WorkerMetrics;

const HEAD: &str = "# Metrics

What `/metrics` on the admin port of each program says (`admin.address`, see [OPERATIONS.md](OPERATIONS.md)).
This page is written from the declarations in the code: `UPDATE_GOLDEN=1 cargo test --release --workspace --test e2e metrics_doc`.

Every series exists from the start and is 0 while nothing happens, except those with the label `model` on the scheduler, which appear with a model's first campaign, and `model_info`, which appears when the model is loaded.
A scheduler that stands by reports 0, or no series, for what only the leader knows: dashboards and alerts take the maximum or the sum over schedulers.
No campaign, tenant or recipient is in a label.
Both programs also report the usual `process_*` series of their process.
";

#[test]
fn the_page_about_metrics_is_what_programs_declare() {
    let (worker, scheduler) = (table(&WorkerMetrics::described()), table(&Series::described()));
    let written = format!("{HEAD}\n## Worker\n\n{worker}\n## Scheduler\n\n{scheduler}");
    let page = repository().join("docs/METRICS.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&page, &written).unwrap();
    }
    let found = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(found == written, "docs/METRICS.md is not what the programs declare; see its first lines");
}
