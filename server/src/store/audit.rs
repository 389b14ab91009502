//! The audit table: append only.

use super::entities::audit;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};

/// Appends who did what to what. Control characters never reach the table.
pub(crate) async fn append<C: ConnectionTrait>(
    db: &C,
    id: String,
    at: i64,
    actor: &str,
    action: &str,
    object: &str,
) -> Result<(), DbErr> {
    let clean = |s: &str| s.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let row = audit::Model { id, at, actor: clean(actor), action: clean(action), object: clean(object) };
    audit::Entity::insert(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}
