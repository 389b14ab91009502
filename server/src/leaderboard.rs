//! leaderboard
