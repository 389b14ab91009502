//! Signed assessments, one per run.

use super::entities::assessment;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

pub(crate) async fn get<C: ConnectionTrait>(db: &C, run: &str) -> Result<Option<assessment::Model>, DbErr> {
    assessment::Entity::find_by_id(run).one(db).await
}

/// The assessment whose statement has this digest. A statement names its run, so that there is one.
pub(crate) async fn by_digest<C: ConnectionTrait>(
    db: &C,
    digest: &str,
) -> Result<Option<assessment::Model>, DbErr> {
    assessment::Entity::find().filter(assessment::Column::Digest.eq(digest)).one(db).await
}

pub(crate) async fn of_runs<C: ConnectionTrait>(
    db: &C,
    runs: &[String],
) -> Result<Vec<assessment::Model>, DbErr> {
    let mut found = Vec::with_capacity(runs.len());
    for part in runs.chunks(400) {
        found.extend(
            assessment::Entity::find()
                .filter(assessment::Column::Run.is_in(part.iter().cloned()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

pub(crate) async fn insert<C: ConnectionTrait>(db: &C, row: assessment::Model) -> Result<(), DbErr> {
    assessment::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}
