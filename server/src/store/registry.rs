//! What accounts have pushed to the registry.

use super::entities::{registry_blob, registry_manifest, registry_tag};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

/// Notes that an account has a blob.
pub(crate) async fn insert_blob<C: ConnectionTrait>(db: &C, row: registry_blob::Model) -> Result<(), DbErr> {
    use registry_blob::Column::{Account, Sha256};
    registry_blob::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns([Account, Sha256]).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// A blob of an account.
pub(crate) async fn blob<C: ConnectionTrait>(
    db: &C,
    account: &str,
    sha256: &str,
) -> Result<Option<registry_blob::Model>, DbErr> {
    registry_blob::Entity::find_by_id((account.to_owned(), sha256.to_owned())).one(db).await
}

/// Those of the named blobs that the account has.
pub(crate) async fn blobs<C: ConnectionTrait>(
    db: &C,
    account: &str,
    sha256: impl IntoIterator<Item = String>,
) -> Result<Vec<registry_blob::Model>, DbErr> {
    registry_blob::Entity::find()
        .filter(registry_blob::Column::Account.eq(account))
        .filter(registry_blob::Column::Sha256.is_in(sha256))
        .all(db)
        .await
}

/// Notes that an account has a manifest in a repository.
pub(crate) async fn insert_manifest<C: ConnectionTrait>(
    db: &C,
    row: registry_manifest::Model,
) -> Result<(), DbErr> {
    use registry_manifest::Column::{Account, Repository, Sha256};
    registry_manifest::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns([Account, Repository, Sha256]).do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// A manifest of an account in a repository.
pub(crate) async fn manifest<C: ConnectionTrait>(
    db: &C,
    account: &str,
    repository: &str,
    sha256: &str,
) -> Result<Option<registry_manifest::Model>, DbErr> {
    let key = (account.to_owned(), repository.to_owned(), sha256.to_owned());
    registry_manifest::Entity::find_by_id(key).one(db).await
}

/// True where the account has pushed the manifest to any repository.
pub(crate) async fn has_manifest<C: ConnectionTrait>(
    db: &C,
    account: &str,
    sha256: &str,
) -> Result<bool, DbErr> {
    let row = registry_manifest::Entity::find()
        .filter(registry_manifest::Column::Account.eq(account))
        .filter(registry_manifest::Column::Sha256.eq(sha256))
        .limit(1)
        .one(db)
        .await?;
    Ok(row.is_some())
}

/// Lets a tag name a manifest from now on.
pub(crate) async fn set_tag<C: ConnectionTrait>(db: &C, row: registry_tag::Model) -> Result<(), DbErr> {
    use registry_tag::Column::{Account, MovedAt, Repository, Sha256, Submission, Tag};
    registry_tag::Entity::insert(row.into_active_model())
        .on_conflict(
            OnConflict::columns([Account, Repository, Tag])
                .update_columns([Sha256, Submission, MovedAt])
                .to_owned(),
        )
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// What a tag of an account names.
pub(crate) async fn tag<C: ConnectionTrait>(
    db: &C,
    account: &str,
    repository: &str,
    tag: &str,
) -> Result<Option<registry_tag::Model>, DbErr> {
    let key = (account.to_owned(), repository.to_owned(), tag.to_owned());
    registry_tag::Entity::find_by_id(key).one(db).await
}

/// The first `most` tags of an account in a repository after `last`, in their order.
pub(crate) async fn tags<C: ConnectionTrait>(
    db: &C,
    account: &str,
    repository: &str,
    last: &str,
    most: u64,
) -> Result<Vec<registry_tag::Model>, DbErr> {
    registry_tag::Entity::find()
        .filter(registry_tag::Column::Account.eq(account))
        .filter(registry_tag::Column::Repository.eq(repository))
        .filter(registry_tag::Column::Tag.gt(last))
        .order_by_asc(registry_tag::Column::Tag)
        .limit(most)
        .all(db)
        .await
}
