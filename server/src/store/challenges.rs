//! Challenges, their files and the reference sets offered for them.

use super::entities::{challenge, challenge_file, reference_set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

pub(crate) async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<challenge::Model>, DbErr> {
    challenge::Entity::find().order_by_asc(challenge::Column::Id).all(db).await
}

/// When each challenge was last updated.
pub(crate) async fn updates<C: ConnectionTrait>(db: &C) -> Result<Vec<(String, i64)>, DbErr> {
    challenge::Entity::find()
        .select_only()
        .column(challenge::Column::Id)
        .column(challenge::Column::UpdatedAt)
        .into_tuple()
        .all(db)
        .await
}

pub(crate) async fn get<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<challenge::Model>, DbErr> {
    challenge::Entity::find_by_id(id).one(db).await
}

/// Reads a challenge and keeps other transactions from using it until this one ends: quotas and the pairing of
/// submissions with reference sets are decided under this lock.
pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<challenge::Model>, DbErr> {
    challenge::Entity::find_by_id(id).lock_exclusive().one(db).await
}

pub(crate) async fn insert<C: ConnectionTrait>(db: &C, row: challenge::Model) -> Result<(), DbErr> {
    challenge::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn replace<C: ConnectionTrait>(db: &C, row: challenge::Model) -> Result<(), DbErr> {
    row.into_active_model().reset_all().update(db).await.map(|_| ())
}

pub(crate) async fn files<C: ConnectionTrait>(db: &C, id: &str) -> Result<Vec<challenge_file::Model>, DbErr> {
    challenge_file::Entity::find()
        .filter(challenge_file::Column::Challenge.eq(id))
        .order_by_asc(challenge_file::Column::Path)
        .all(db)
        .await
}

pub(crate) async fn file<C: ConnectionTrait>(
    db: &C,
    id: &str,
    path: &str,
) -> Result<Option<challenge_file::Model>, DbErr> {
    challenge_file::Entity::find_by_id((id.to_owned(), path.to_owned())).one(db).await
}

pub(crate) async fn put_file<C: ConnectionTrait>(db: &C, row: challenge_file::Model) -> Result<(), DbErr> {
    challenge_file::Entity::delete_by_id((row.challenge.clone(), row.path.clone())).exec(db).await?;
    challenge_file::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn sets<C: ConnectionTrait>(
    db: &C,
    challenge: &str,
) -> Result<Vec<reference_set::Model>, DbErr> {
    reference_set::Entity::find()
        .filter(reference_set::Column::Challenge.eq(challenge))
        .order_by_asc(reference_set::Column::Site)
        .order_by_asc(reference_set::Column::Id)
        .all(db)
        .await
}

pub(crate) async fn set<C: ConnectionTrait>(
    db: &C,
    site: &str,
    id: &str,
) -> Result<Option<reference_set::Model>, DbErr> {
    reference_set::Entity::find_by_id((site.to_owned(), id.to_owned())).one(db).await
}

pub(crate) async fn insert_set<C: ConnectionTrait>(db: &C, row: reference_set::Model) -> Result<(), DbErr> {
    reference_set::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}
