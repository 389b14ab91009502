//! Accounts, tokens and sessions.

use super::entities::{account, session, token};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};

pub(crate) async fn insert<C: ConnectionTrait>(db: &C, row: account::Model) -> Result<(), DbErr> {
    account::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn by_name<C: ConnectionTrait>(db: &C, name: &str) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find().filter(account::Column::Name.eq(name)).one(db).await
}

pub(crate) async fn by_id<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find_by_id(id).one(db).await
}

pub(crate) async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<account::Model>, DbErr> {
    account::Entity::find().order_by_asc(account::Column::Name).all(db).await
}

pub(crate) async fn insert_token<C: ConnectionTrait>(db: &C, row: token::Model) -> Result<(), DbErr> {
    token::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn token_by_hash<C: ConnectionTrait>(
    db: &C,
    hash: &str,
) -> Result<Option<token::Model>, DbErr> {
    token::Entity::find().filter(token::Column::Hash.eq(hash)).one(db).await
}

/// Deletes a token of the account; the number of rows is 0 where it has no such token.
pub(crate) async fn delete_token<C: ConnectionTrait>(db: &C, account: &str, id: &str) -> Result<u64, DbErr> {
    let done = token::Entity::delete_many()
        .filter(token::Column::Id.eq(id))
        .filter(token::Column::Account.eq(account))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Deletes every token of a site, so that only the newest enrolment works.
pub(crate) async fn delete_site_tokens<C: ConnectionTrait>(db: &C, site: &str) -> Result<u64, DbErr> {
    let done = token::Entity::delete_many().filter(token::Column::Site.eq(site)).exec(db).await?;
    Ok(done.rows_affected)
}

pub(crate) async fn insert_session<C: ConnectionTrait>(db: &C, row: session::Model) -> Result<(), DbErr> {
    session::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn session_by_hash<C: ConnectionTrait>(
    db: &C,
    hash: &str,
) -> Result<Option<session::Model>, DbErr> {
    session::Entity::find_by_id(hash).one(db).await
}

pub(crate) async fn touch_session<C: ConnectionTrait>(db: &C, hash: &str, now: i64) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::SeenAt, Expr::value(now))
        .filter(session::Column::Hash.eq(hash))
        .exec(db)
        .await
        .map(|_| ())
}

pub(crate) async fn delete_session<C: ConnectionTrait>(db: &C, hash: &str) -> Result<(), DbErr> {
    session::Entity::delete_by_id(hash).exec(db).await.map(|_| ())
}

/// Deletes sessions that nobody has used since `before`.
pub(crate) async fn delete_stale_sessions<C: ConnectionTrait>(db: &C, before: i64) -> Result<(), DbErr> {
    session::Entity::delete_many().filter(session::Column::SeenAt.lt(before)).exec(db).await.map(|_| ())
}

/// Sets a password and ends every session of the account.
pub(crate) async fn set_password<C: ConnectionTrait>(
    db: &C,
    mut row: account::Model,
    hash: String,
) -> Result<(), DbErr> {
    let id = row.id.clone();
    row.password_hash.clone_from(&hash);
    let mut active = row.into_active_model();
    active.password_hash = sea_orm::Set(hash);
    active.update(db).await?;
    session::Entity::delete_many().filter(session::Column::Account.eq(id)).exec(db).await.map(|_| ())
}
