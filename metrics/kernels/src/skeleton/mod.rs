//! Skeletons of tubular masks, and centreline Dice.
