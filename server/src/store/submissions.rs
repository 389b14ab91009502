//! Artifacts and submissions.

use super::entities::{artifact, submission};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

/// `media_type` of a row that stands for an image in another registry. All it says is the digest: what a submission
/// claims about bytes that the hub never saw must not be believed of bytes that somebody uploads.
const ELSEWHERE: &str = "elsewhere";

/// An artifact that the hub holds.
pub(crate) async fn artifact<C: ConnectionTrait>(
    db: &C,
    sha256: &str,
) -> Result<Option<artifact::Model>, DbErr> {
    let found = artifact::Entity::find_by_id(sha256);
    found.filter(artifact::Column::MediaType.ne(ELSEWHERE)).one(db).await
}

/// Remembers an artifact; the first uploader stays.
pub(crate) async fn insert_artifact<C: ConnectionTrait>(db: &C, row: artifact::Model) -> Result<(), DbErr> {
    use artifact::Column;
    let mut conflict = OnConflict::column(Column::Sha256);
    conflict
        .update_columns([Column::Size, Column::MediaType, Column::Uploader, Column::CreatedAt])
        .action_and_where(Expr::col((artifact::Entity, Column::MediaType)).eq(ELSEWHERE));
    artifact::Entity::insert(row.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Notes the digest of an image that the hub does not hold, for submissions to refer to.
pub(crate) async fn insert_elsewhere<C: ConnectionTrait>(
    db: &C,
    sha256: &str,
    account: &str,
    now: i64,
) -> Result<(), DbErr> {
    let row = artifact::Model {
        sha256: sha256.to_owned(),
        size: 0,
        media_type: ELSEWHERE.to_owned(),
        uploader: account.to_owned(),
        created_at: now,
    };
    artifact::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(artifact::Column::Sha256).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

pub(crate) async fn insert<C: ConnectionTrait>(db: &C, row: submission::Model) -> Result<(), DbErr> {
    submission::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn get<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<submission::Model>, DbErr> {
    submission::Entity::find_by_id(id).one(db).await
}

pub(crate) async fn by_key<C: ConnectionTrait>(
    db: &C,
    account: &str,
    key: &str,
) -> Result<Option<submission::Model>, DbErr> {
    submission::Entity::find()
        .filter(submission::Column::Account.eq(account))
        .filter(submission::Column::IdempotencyKey.eq(key))
        .one(db)
        .await
}

/// Number of submissions per challenge.
pub(crate) async fn counts<C: ConnectionTrait>(db: &C) -> Result<Vec<(String, i64)>, DbErr> {
    submission::Entity::find()
        .select_only()
        .column(submission::Column::Challenge)
        .column_as(submission::Column::Id.count(), "submissions")
        .group_by(submission::Column::Challenge)
        .into_tuple()
        .all(db)
        .await
}

/// Slots that the account has used in the window.
pub(crate) async fn slots_used<C: ConnectionTrait>(
    db: &C,
    challenge: &str,
    phase: &str,
    account: &str,
    since: i64,
) -> Result<u64, DbErr> {
    submission::Entity::find()
        .filter(submission::Column::Challenge.eq(challenge))
        .filter(submission::Column::Phase.eq(phase))
        .filter(submission::Column::Account.eq(account))
        .filter(submission::Column::SlotReturned.eq(false))
        .filter(submission::Column::SubmittedAt.gt(since))
        .count(db)
        .await
}

pub(crate) async fn of_account<C: ConnectionTrait>(
    db: &C,
    account: &str,
) -> Result<Vec<submission::Model>, DbErr> {
    submission::Entity::find()
        .filter(submission::Column::Account.eq(account))
        .order_by_desc(submission::Column::SubmittedAt)
        .all(db)
        .await
}

pub(crate) async fn of_challenge<C: ConnectionTrait>(
    db: &C,
    challenge: &str,
) -> Result<Vec<submission::Model>, DbErr> {
    submission::Entity::find()
        .filter(submission::Column::Challenge.eq(challenge))
        .order_by_asc(submission::Column::SubmittedAt)
        .order_by_asc(submission::Column::Id)
        .all(db)
        .await
}

pub(crate) async fn return_slot<C: ConnectionTrait>(db: &C, id: &str) -> Result<(), DbErr> {
    submission::Entity::update_many()
        .col_expr(submission::Column::SlotReturned, Expr::value(true))
        .filter(submission::Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Reads a submission and keeps other transactions from settling it until this one ends.
pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<submission::Model>, DbErr> {
    submission::Entity::find_by_id(id).lock_exclusive().one(db).await
}
