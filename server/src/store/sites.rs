//! Sites and enrolment codes.

use super::entities::{enrolment_code, site};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

pub(crate) async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<site::Model>, DbErr> {
    site::Entity::find().order_by_asc(site::Column::Id).all(db).await
}

pub(crate) async fn get<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<site::Model>, DbErr> {
    site::Entity::find_by_id(id).one(db).await
}

pub(crate) async fn insert<C: ConnectionTrait>(db: &C, row: site::Model) -> Result<(), DbErr> {
    site::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn set_key<C: ConnectionTrait>(db: &C, id: &str, key: &str) -> Result<(), DbErr> {
    site::Entity::update_many()
        .col_expr(site::Column::PublicKey, Expr::value(key))
        .filter(site::Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

pub(crate) async fn insert_code<C: ConnectionTrait>(db: &C, row: enrolment_code::Model) -> Result<(), DbErr> {
    enrolment_code::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

/// Uses a code up; the site it was made for, or `None` where it is unknown, used or too old.
pub(crate) async fn use_code<C: ConnectionTrait>(
    db: &C,
    hash: &str,
    now: i64,
) -> Result<Option<String>, DbErr> {
    let used = enrolment_code::Entity::update_many()
        .col_expr(enrolment_code::Column::UsedAt, Expr::value(Some(now)))
        .filter(enrolment_code::Column::Hash.eq(hash))
        .filter(enrolment_code::Column::UsedAt.is_null())
        .filter(enrolment_code::Column::ExpiresAt.gt(now))
        .exec(db)
        .await?;
    if used.rows_affected != 1 {
        return Ok(None);
    }
    Ok(enrolment_code::Entity::find_by_id(hash).one(db).await?.map(|c| c.site))
}
