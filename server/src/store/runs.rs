//! The queue's table. Every write after the claim names the fence and the states it expects.

use super::entities::{run, submission};
use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

/// Waiting for a node.
pub(crate) const QUEUED: &str = "queued";
/// A node works on it.
pub(crate) const LEASED: &str = "leased";
/// A person at the site is asked.
pub(crate) const AWAITING: &str = "awaiting-release";
/// An assessment was accepted.
pub(crate) const REPORTED: &str = "reported";
/// It could not be done.
pub(crate) const FAILED: &str = "failed";
/// The site refused.
pub(crate) const REFUSED: &str = "refused";

/// True where nothing more will happen to the run.
pub(crate) fn is_final(state: &str) -> bool {
    !matches!(state, QUEUED | LEASED | AWAITING)
}

pub(crate) async fn insert_many<C: ConnectionTrait>(db: &C, rows: Vec<run::Model>) -> Result<(), DbErr> {
    for part in rows.chunks(200) {
        run::Entity::insert_many(part.iter().cloned().map(IntoActiveModel::into_active_model))
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

pub(crate) async fn get<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<run::Model>, DbErr> {
    run::Entity::find_by_id(id).one(db).await
}

pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<run::Model>, DbErr> {
    run::Entity::find_by_id(id).lock_exclusive().one(db).await
}

pub(crate) async fn of_submission<C: ConnectionTrait>(db: &C, id: &str) -> Result<Vec<run::Model>, DbErr> {
    run::Entity::find()
        .filter(run::Column::Submission.eq(id))
        .order_by_asc(run::Column::Site)
        .order_by_asc(run::Column::ReferenceSet)
        .all(db)
        .await
}

pub(crate) async fn of_submissions<C: ConnectionTrait>(
    db: &C,
    ids: &[String],
) -> Result<Vec<run::Model>, DbErr> {
    let mut found = Vec::new();
    for part in ids.chunks(400) {
        found.extend(
            run::Entity::find().filter(run::Column::Submission.is_in(part.iter().cloned())).all(db).await?,
        );
    }
    Ok(found)
}

pub(crate) async fn of_challenge<C: ConnectionTrait>(
    db: &C,
    challenge: &str,
) -> Result<Vec<run::Model>, DbErr> {
    run::Entity::find()
        .filter(run::Column::Challenge.eq(challenge))
        .order_by_asc(run::Column::Site)
        .order_by_asc(run::Column::ReferenceSet)
        .all(db)
        .await
}

/// What changes of runs leave behind, per challenge and state: their number, the sum of their fences, the last end.
pub(crate) type Mark = (String, String, i64, i64, Option<i64>);

/// The marks of all challenges.
pub(crate) async fn marks<C: ConnectionTrait>(db: &C) -> Result<Vec<Mark>, DbErr> {
    run::Entity::find()
        .select_only()
        .column(run::Column::Challenge)
        .column(run::Column::State)
        .column_as(run::Column::Id.count(), "runs")
        .column_as(Expr::cust("CAST(SUM(fence) AS BIGINT)"), "fences")
        .column_as(run::Column::EndedAt.max(), "ended")
        .group_by(run::Column::Challenge)
        .group_by(run::Column::State)
        .order_by_asc(run::Column::Challenge)
        .order_by_asc(run::Column::State)
        .into_tuple()
        .all(db)
        .await
}

fn claimable(site: &str, now: i64) -> Condition {
    Condition::all().add(run::Column::Site.eq(site)).add(
        Condition::any().add(run::Column::State.eq(QUEUED)).add(
            Condition::all()
                .add(run::Column::State.is_in([LEASED, AWAITING]))
                .add(run::Column::LeaseUntil.lt(now)),
        ),
    )
}

/// True where a claim may find something; takes no lock.
pub(crate) async fn any_claimable<C: ConnectionTrait>(db: &C, site: &str, now: i64) -> Result<bool, DbErr> {
    Ok(run::Entity::find().filter(claimable(site, now)).limit(1).one(db).await?.is_some())
}

/// The oldest run a site may claim, locked where the database locks rows.
pub(crate) async fn next<C: ConnectionTrait>(
    db: &C,
    site: &str,
    now: i64,
) -> Result<Option<run::Model>, DbErr> {
    run::Entity::find()
        .filter(claimable(site, now))
        .order_by_asc(run::Column::CreatedAt)
        .order_by_asc(run::Column::Id)
        .limit(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(db)
        .await
}

/// Leases a run to its site under the next fence; rows touched.
pub(crate) async fn lease<C: ConnectionTrait>(db: &C, run: &run::Model, until: i64) -> Result<u64, DbErr> {
    let done = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(LEASED))
        .col_expr(run::Column::Fence, Expr::value(run.fence + 1))
        .col_expr(run::Column::Attempt, Expr::value(run.attempt + 1))
        .col_expr(run::Column::LeaseUntil, Expr::value(until))
        .col_expr(run::Column::Done, Expr::value(0_i64))
        .filter(run::Column::Id.eq(&run.id))
        .filter(run::Column::Fence.eq(run.fence))
        .filter(run::Column::State.eq(&run.state))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Which lease a node speaks for.
pub(crate) struct Held<'a> {
    /// Run id.
    pub(crate) run: &'a str,
    /// Site the node belongs to.
    pub(crate) site: &'a str,
    /// Fence of its run order.
    pub(crate) fence: i64,
}

impl Held<'_> {
    // A lease that ended but that nobody else has claimed is still the node's: the fence says so. A run that was
    // never claimed has fence 0 and belongs to nobody.
    fn condition(&self) -> Condition {
        Condition::all()
            .add(run::Column::Id.eq(self.run))
            .add(run::Column::Site.eq(self.site))
            .add(run::Column::Fence.eq(self.fence))
            .add(run::Column::Fence.gt(0))
            .add(run::Column::State.is_in([QUEUED, LEASED, AWAITING]))
    }
}

/// Renews a lease; rows touched.
pub(crate) async fn renew<C: ConnectionTrait>(
    db: &C,
    held: &Held<'_>,
    state: &str,
    until: i64,
    done: i64,
    total: i64,
) -> Result<u64, DbErr> {
    let result = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(state))
        .col_expr(run::Column::LeaseUntil, Expr::value(until))
        .col_expr(run::Column::Done, Expr::value(done))
        .col_expr(run::Column::Total, Expr::value(total))
        .filter(held.condition())
        .exec(db)
        .await?;
    Ok(result.rows_affected)
}

/// How a run ended.
pub(crate) struct Ending<'a> {
    /// Final state.
    pub(crate) state: &'a str,
    /// Reason code.
    pub(crate) reason: Option<&'a str>,
    /// Cases by outcome, JSON.
    pub(crate) cases: Option<String>,
    /// Cases in all.
    pub(crate) total: Option<i64>,
    /// When.
    pub(crate) at: i64,
}

/// Ends a run; rows touched.
pub(crate) async fn end<C: ConnectionTrait>(
    db: &C,
    held: &Held<'_>,
    ending: Ending<'_>,
) -> Result<u64, DbErr> {
    let mut update = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(ending.state))
        .col_expr(run::Column::Reason, Expr::value(ending.reason.map(str::to_owned)))
        .col_expr(run::Column::Cases, Expr::value(ending.cases))
        .col_expr(run::Column::EndedAt, Expr::value(Some(ending.at)));
    if let Some(total) = ending.total {
        update = update
            .col_expr(run::Column::Done, Expr::value(total))
            .col_expr(run::Column::Total, Expr::value(total));
    }
    Ok(update.filter(held.condition()).exec(db).await?.rows_affected)
}

/// Gives a run back to the queue after an error at the site; rows touched.
pub(crate) async fn requeue<C: ConnectionTrait>(db: &C, held: &Held<'_>, fence: i64) -> Result<u64, DbErr> {
    let done = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(QUEUED))
        .col_expr(run::Column::Fence, Expr::value(fence + 1))
        .col_expr(run::Column::Errors, Expr::col(run::Column::Errors).add(1))
        .filter(held.condition())
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Runs whose lease has ended.
pub(crate) async fn expired<C: ConnectionTrait>(db: &C, now: i64) -> Result<Vec<run::Model>, DbErr> {
    run::Entity::find()
        .filter(run::Column::State.is_in([LEASED, AWAITING]))
        .filter(run::Column::LeaseUntil.lt(now))
        .limit(500)
        .all(db)
        .await
}

/// Gives a run whose lease has ended back to the queue. The fence stays: the next claim raises it.
pub(crate) async fn release<C: ConnectionTrait>(db: &C, run: &run::Model, now: i64) -> Result<u64, DbErr> {
    let done = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(QUEUED))
        .filter(run::Column::Id.eq(&run.id))
        .filter(run::Column::Fence.eq(run.fence))
        .filter(run::Column::State.is_in([LEASED, AWAITING]))
        .filter(run::Column::LeaseUntil.lt(now))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// True where the site holds a lease on a run of this artifact, which the hub holds: a submission that names an image
/// elsewhere gives nobody a right to bytes of the same digest here.
pub(crate) async fn leased_artifact<C: ConnectionTrait>(
    db: &C,
    site: &str,
    sha256: &str,
) -> Result<bool, DbErr> {
    let held_here = Query::select()
        .column(submission::Column::Id)
        .from(submission::Entity)
        .and_where(submission::Column::Registry.is_null())
        .to_owned();
    let row = run::Entity::find()
        .filter(run::Column::Submission.in_subquery(held_here))
        .filter(run::Column::Site.eq(site))
        .filter(run::Column::Artifact.eq(sha256))
        .filter(run::Column::State.is_in([LEASED, AWAITING]))
        .limit(1)
        .one(db)
        .await?;
    Ok(row.is_some())
}
