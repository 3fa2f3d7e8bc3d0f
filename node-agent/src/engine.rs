//! The engine behind its wall: one message in ([`Task`]), one back ([`Evidence`]).
//!
//! It has its own threads with large stacks, a memory pool and a time limit. Whatever goes wrong
//! in there comes out as a [`Fault`]; its text is for the custodian's own record and never for a
//! caller, because the engine quotes data. It must not know questions, people or rules of release.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::context::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{
    SendableRecordBatchStream, execute_stream, execute_stream_partitioned,
};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use quorate_disclosure::evidence::Evidence;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::measure::{Fold, FoldError, Layout, Merged, Share, Sorted};
use crate::policy::Limits;

/// Stack of an engine thread: planning recurses.
const STACK: usize = 16 << 20;
/// How long threads that end are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rows of a batch; time limits and cancellation act between batches.
const BATCH: usize = 8192;

/// One message to the engine.
pub struct Task {
    /// What to run.
    pub plan: LogicalPlan,
    /// How to read its rows.
    pub layout: Layout,
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The time limit of the policy.
    #[error("the time limit was reached")]
    Time,
    /// The memory limit of the policy.
    #[error("the memory limit was reached")]
    Memory,
    /// Anything else. The text may quote data: for the custodian's own record only.
    #[error("{0}")]
    Internal(String),
}

/// The engine cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the engine: {0}")]
pub struct StartError(String);

/// Threads, memory pool and limits, shared by all questions of a node.
pub struct Engine {
    runtime: Option<Runtime>,
    environment: Arc<RuntimeEnv>,
    slots: Semaphore,
    time: Duration,
    partitions: usize,
}

impl Engine {
    /// Starts the engine's threads.
    ///
    /// # Errors
    /// If the operating system gives no threads.
    pub fn start(limits: &Limits) -> Result<Self, StartError> {
        let partitions = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(partitions)
            .thread_name("engine")
            .thread_stack_size(STACK)
            .enable_time()
            .build()
            .map_err(|error| StartError(error.to_string()))?;
        let memory = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
            )
            .build_arc()
            .map_err(|error| StartError(error.to_string()))?;
        Ok(Self {
            runtime: Some(runtime),
            environment,
            slots: Semaphore::new(limits.concurrent.max(1)),
            time: limits.time,
            partitions,
        })
    }

    /// Runs one task: a question of one table.
    ///
    /// # Errors
    /// As [`Self::run_all`].
    pub async fn run(&self, task: Task) -> Result<Evidence, Fault> {
        let mut found = self.run_all(vec![task]).await?;
        found.pop().ok_or_else(stopped)
    }

    /// Runs the tasks of one question in turn, all of them within the one time limit. Waiting for a
    /// slot does not count. Dropping the returned future stops them.
    ///
    /// # Errors
    /// A [`Fault`]; see there for who may read its text.
    pub async fn run_all(&self, tasks: Vec<Task>) -> Result<Vec<Evidence>, Fault> {
        let _slot = self.slots.acquire().await.map_err(|_| stopped())?;
        let state = self.state();
        let limit = self.time;
        self.inside(async move {
            let all = async {
                let mut found = Vec::with_capacity(tasks.len());
                for task in tasks {
                    found.push(evidence(&state, task).await?);
                }
                Ok(found)
            };
            let limited = tokio::time::timeout(limit, all);
            limited.await.unwrap_or(Err(Fault::Time))
        })
        .await?
    }

    /// Shows every row of a plan to `add`, as when a source is read: no time limit, no evidence.
    ///
    /// # Errors
    /// If the plan fails, or `add` does.
    pub(crate) async fn scan<S, E>(
        &self,
        plan: LogicalPlan,
        mut so_far: S,
        add: fn(&mut S, &RecordBatch) -> Result<(), E>,
    ) -> Result<S, Fault>
    where
        S: Send + 'static,
        E: std::error::Error + 'static,
    {
        let state = self.state();
        self.inside(async move {
            let plan = state.create_physical_plan(&plan).await?;
            let mut batches = execute_stream(plan, Arc::new(TaskContext::from(&state)))?;
            while let Some(batch) = batches.next().await {
                add(&mut so_far, &batch?).map_err(|error| Fault::Internal(error.to_string()))?;
                tokio::task::yield_now().await;
            }
            Ok(so_far)
        })
        .await?
    }

    /// Runs work that needs the engine's threads and stacks, such as loading a source.
    ///
    /// # Errors
    /// If the work panicked or the engine is stopping.
    pub async fn inside<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Fault> {
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        let mut running = Aborting(runtime.spawn(work));
        (&mut running.0)
            .await
            .map_err(|error| Fault::Internal(error.to_string()))
    }

    /// Takes every slot, so that whatever comes next waits for as long as the slots are kept.
    #[cfg(test)]
    pub(crate) fn occupy(&self) -> tokio::sync::SemaphorePermit<'_> {
        let all = u32::try_from(self.slots.available_permits()).unwrap();
        self.slots.try_acquire_many(all).unwrap()
    }

    /// A session without functions, files, catalogs or SQL: only plans of our own run in it.
    fn state(&self) -> SessionState {
        let config = SessionConfig::new()
            .with_target_partitions(self.partitions)
            .with_batch_size(BATCH)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false)
            .with_collect_statistics(false);
        SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.environment))
            .build()
    }
}

impl Drop for Engine {
    /// Waits a moment for its threads. One that nobody waits for may end, and its large stack be
    /// given back, while the C library still looks at it. A thread of its own does the waiting,
    /// because where another runtime is at work none may be waited for.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let end = std::thread::Builder::new().name("engine-end".to_owned());
        let ending = end.spawn(move || runtime.shutdown_timeout(PATIENCE));
        // If it fell over, everything in there is over too.
        drop(ending.map(std::thread::JoinHandle::join));
    }
}

/// Stops a task when nobody waits for it any more.
struct Aborting<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Every partition folds its own rows, in parallel; then each thread puts its share of the persons in
/// order, and makes evidence of its share of the cells.
async fn evidence(state: &SessionState, task: Task) -> Result<Evidence, Fault> {
    let plan = state.create_physical_plan(&task.plan).await?;
    let context = Arc::new(TaskContext::from(state));
    let mut folding = JoinSet::new();
    for rows in execute_stream_partitioned(plan, Arc::clone(&context))? {
        folding.spawn(fold(rows, task.layout.clone(), Arc::clone(&context)));
    }
    let (folds, memory): (Vec<Fold>, Vec<MemoryReservation>) =
        all(folding).await?.into_iter().unzip();
    let mut evidence = Evidence::default();
    if let Some(merged) = Merged::of(folds)? {
        let tasks = state.config().target_partitions().max(1);
        let (shares, rows) = merged.shares(tasks);
        let mut ordering = JoinSet::new();
        for share in shares {
            ordering.spawn(ordered(share));
        }
        let rows = Arc::new(rows.with(all(ordering).await?));
        let mut counting = JoinSet::new();
        for first in 0..tasks {
            counting.spawn(cells(Arc::clone(&rows), first, tasks));
        }
        for found in all(counting).await? {
            evidence.cells.extend(found.cells);
        }
    }
    drop(memory);
    Ok(evidence)
}

/// What all tasks come to, in the order in which they end.
async fn all<T: 'static>(mut tasks: JoinSet<Result<T, Fault>>) -> Result<Vec<T>, Fault> {
    let mut found = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        found.push(done.map_err(|error| Fault::Internal(error.to_string()))??);
    }
    Ok(found)
}

/// A share of the rows, in order.
async fn ordered(mut share: Share) -> Result<Share, Fault> {
    while share.order_next()? {
        tokio::task::yield_now().await;
    }
    Ok(share)
}

/// The evidence of every so many-th cell.
async fn cells(rows: Arc<Sorted>, first: usize, step: usize) -> Result<Evidence, Fault> {
    let mut evidence = Evidence::default();
    for cell in (first..rows.cells()).step_by(step) {
        evidence.cells.extend(rows.cell(cell)?);
        tokio::task::yield_now().await;
    }
    Ok(evidence)
}

/// Folds one partition, within the memory limit.
async fn fold(
    mut rows: SendableRecordBatchStream,
    layout: Layout,
    context: Arc<TaskContext>,
) -> Result<(Fold, MemoryReservation), Fault> {
    let memory = MemoryConsumer::new("evidence").register(context.memory_pool());
    let mut fold = Fold::new(layout);
    while let Some(batch) = rows.next().await {
        fold.push(&batch?)?;
        memory.try_resize(fold.bytes())?;
        tokio::task::yield_now().await;
    }
    Ok((fold, memory))
}

fn stopped() -> Fault {
    Fault::Internal("the engine is stopping".to_owned())
}

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Memory,
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<FoldError> for Fault {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::TooManyCells => Self::Memory,
            FoldError::Shape | FoldError::TooMany => Self::Internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions_aggregate::expr_fn::count;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

    use super::*;
    use crate::measure::{Counted, Part};

    fn limits() -> Limits {
        Limits {
            memory_bytes: 1 << 26,
            ..Limits::default()
        }
    }

    fn layout() -> Layout {
        Layout {
            keys: 1,
            max_rows: None,
            parts: vec![Part::All { of: Counted::Rows }],
        }
    }

    fn person() -> datafusion::logical_expr::Expr {
        datafusion::logical_expr::cast(col("column1"), arrow::datatypes::DataType::UInt32)
    }

    /// Numbers 0 to 999, grouped by themselves.
    fn grouped() -> Task {
        let rows = (0..1000_i64).map(|n| vec![lit(n)]).collect();
        let plan = LogicalPlanBuilder::values(rows).unwrap();
        let plan = plan
            .aggregate([col("column1")], [count(lit(1_i64))])
            .unwrap()
            .project([col("column1"), person().alias("person")])
            .unwrap();
        Task {
            plan: plan.build().unwrap(),
            layout: layout(),
        }
    }

    /// A thousand million rows: longer than any test waits.
    fn endless() -> Task {
        let numbers = |name: &str| {
            let rows = (0..1000_i64).map(|n| vec![lit(n)]).collect();
            let plan = LogicalPlanBuilder::values(rows).unwrap();
            plan.project([col("column1").alias(name)]).unwrap()
        };
        let plan = numbers("a").cross_join(numbers("b").build().unwrap());
        let plan = plan.unwrap().cross_join(numbers("c").build().unwrap());
        let plan = plan.unwrap().aggregate([col("a")], [count(lit(1_i64))]);
        Task {
            plan: plan.unwrap().build().unwrap(),
            layout: layout(),
        }
    }

    fn run(limits: &Limits, task: Task) -> Result<usize, Fault> {
        let engine = Engine::start(limits).unwrap();
        let waiting = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        waiting
            .block_on(engine.run(task))
            .map(|evidence| evidence.cells.len())
    }

    #[test]
    fn one_message_in_one_out() {
        assert_eq!(run(&limits(), grouped()).unwrap(), 1000);
    }

    #[test]
    fn limits_are_faults_of_their_own() {
        let little = Limits {
            memory_bytes: 16,
            ..limits()
        };
        assert!(matches!(run(&little, grouped()), Err(Fault::Memory)));
        let soon = Limits {
            time: Duration::from_millis(100),
            ..limits()
        };
        assert!(matches!(run(&soon, endless()), Err(Fault::Time)));
    }

    /// The second table of a question has what the first has left of the time, not a limit of its own.
    #[test]
    fn all_tasks_of_a_question_share_one_limit() {
        let engine = Engine::start(&limits()).unwrap();
        let waiting = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let both = waiting.block_on(engine.run_all(vec![grouped(), grouped()]));
        assert_eq!(both.unwrap().len(), 2);
        let soon = Limits {
            time: Duration::from_millis(100),
            ..limits()
        };
        let engine = Engine::start(&soon).unwrap();
        // Each is done long before the limit; a thousand are not.
        let many = (0..1000).map(|_| grouped()).collect();
        let late = waiting.block_on(engine.run_all(many));
        assert!(matches!(late, Err(Fault::Time)));
    }

    #[test]
    fn what_the_engine_says_stays_inside_the_fault() {
        let plan = LogicalPlanBuilder::values(vec![vec![lit(4711_i64)]]).unwrap();
        let zero = col("column1") / (col("column1") - col("column1"));
        let plan = plan.project([zero]).unwrap().build().unwrap();
        let task = Task {
            plan,
            layout: layout(),
        };
        assert!(matches!(run(&limits(), task), Err(Fault::Internal(_))));
    }

    #[test]
    fn a_question_that_is_dropped_gives_its_slot_back() {
        let one = Limits {
            concurrent: 1,
            time: Duration::from_secs(3600),
            ..limits()
        };
        let engine = Engine::start(&one).unwrap();
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        waiting.block_on(async {
            let short = Duration::from_millis(200);
            let long = tokio::time::timeout(short, engine.run(endless())).await;
            assert!(long.is_err(), "it would run for hours");
            assert_eq!(engine.run(grouped()).await.unwrap().cells.len(), 1000);
        });
    }

    #[test]
    fn a_dropped_wait_stops_the_work() {
        let engine = Engine::start(&limits()).unwrap();
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let (done, mut finished) = tokio::sync::oneshot::channel::<()>();
        let work = async move {
            let _done = done;
            std::future::pending::<()>().await;
        };
        waiting.block_on(async {
            let short = Duration::from_millis(20);
            assert!(
                tokio::time::timeout(short, engine.inside(work))
                    .await
                    .is_err()
            );
            assert!(
                (&mut finished).await.is_err(),
                "the sender was dropped with the work"
            );
        });
    }
}
