//! Compiles a hot loop for the vector instructions of the machine it runs on.

/// Defines a function whose body is compiled for AVX-512, for AVX2 and for any machine, and picks one when called.
///
/// The body must be plain safe code; every version computes the same values (no fused multiply-add is introduced,
/// since the compiler never contracts floating-point operations by itself).
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "a function for special instructions is called after asking for them")
        )]
        $vis fn $name($($arg: $ty),*) -> $ret {
            #[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
            #[inline(always)]
            fn body($($arg: $ty),*) -> $ret $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
                fn avx512($($arg: $ty),*) -> $ret {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2($($arg: $ty),*) -> $ret {
                    body($($arg),*)
                }
                let has_avx2 = is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt");
                let has_avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                if has_avx2 && has_avx512 {
                    // SAFETY: every feature the function is compiled for was found on this machine.
                    return unsafe { avx512($($arg),*) };
                }
                if has_avx2 {
                    // SAFETY: every feature the function is compiled for was found on this machine.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}

pub(crate) use vectorized;

#[cfg(test)]
mod tests {
    vectorized! {
        /// Sum of the squares.
        fn squares(values: &[u32]) -> u64 {
            values.iter().map(|&v| u64::from(v) * u64::from(v)).sum()
        }
    }

    #[test]
    fn every_version_computes_the_body() {
        assert_eq!(squares(&[1, 2, 3]), 14);
    }
}
