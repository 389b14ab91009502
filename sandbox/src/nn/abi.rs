//! The functions of wasi-nn as a core module calls them, in the convention of WASI preview 1: numbers and addresses in,
//! a code out, results written where the last argument says.
//!
//! The interface is `wasi-nn.witx` of the proposal in the form of wasmtime 48 (six functions; `tensor_type` counts f16,
//! f32, f64, u8, i32, i64 from 0). Every address is the module's word and is checked: one outside its memory gives
//! `invalid_argument`, before anything is done.

use wasmtime::{Caller, Extern, Linker};

use super::{Errno, Fact, Failed, Kind, Networks, by_name, check_rank, fact, one_model, refused, runs};
use crate::world::World;

/// The name under which a module imports these functions.
pub(crate) const MODULE: &str = "wasi_ephemeral_nn";

/// Bytes of the record `tensor`: address and length of the dimensions, type, address and length of the data.
const TENSOR: u32 = 20;

/// Adds all functions.
pub(crate) fn add_to_linker(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    linker
        .func_wrap(MODULE, "load", |caller: Caller<'_, World>, list, count, encoding, target, graph| {
            call(caller, "load", |memory, nn| {
                memory.bytes(graph, 4)?;
                let model = memory.model(list, count, encoding, target)?;
                let loaded = nn.load(model)?;
                memory.write(graph, loaded)
            })
        })?
        .func_wrap(MODULE, "load_by_name", |caller: Caller<'_, World>, name, length, graph| {
            call(caller, "load_by_name", |memory, _| {
                memory.bytes(graph, 4)?;
                memory.bytes(name, length)?;
                by_name()
            })
        })?
        .func_wrap(MODULE, "init_execution_context", |caller: Caller<'_, World>, graph, context| {
            call(caller, "init_execution_context", |memory, nn| {
                memory.bytes(context, 4)?;
                let made = nn.init_execution_context(graph)?;
                memory.write(context, made)
            })
        })?
        .func_wrap(MODULE, "set_input", |caller: Caller<'_, World>, context, input, tensor| {
            call(caller, "set_input", |memory, nn| {
                let (fact, data) = memory.tensor(tensor)?;
                nn.set_input(context, input, fact, data)
            })
        })?
        .func_wrap(MODULE, "compute", |caller: Caller<'_, World>, context| {
            call(caller, "compute", |_, nn| nn.compute(context))
        })?
        .func_wrap(
            MODULE,
            "get_output",
            |caller: Caller<'_, World>, context, output, buffer, size, written| {
                call(caller, "get_output", |memory, nn| {
                    memory.bytes(written, 4)?;
                    memory.bytes(buffer, size)?;
                    let values = nn.output(context, output)?;
                    let bytes = u32::try_from(values.bytes()).ok().filter(|bytes| *bytes <= size);
                    let Some(bytes) = bytes else {
                        let why = format!("the output has {} bytes, the buffer {size}", values.bytes());
                        return refused(Errno::TooLarge, why);
                    };
                    values.write_to(memory.bytes_mut(buffer, bytes)?);
                    memory.write(written, bytes)
                })
            },
        )?;
    Ok(())
}

/// Does the work of one call; says in the case's log why it was refused.
fn call(
    mut caller: Caller<'_, World>,
    name: &str,
    work: impl FnOnce(&mut Memory<'_>, &mut Networks) -> Result<(), Failed>,
) -> wasmtime::Result<u32> {
    // A module that exports no memory is not run at all.
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Ok(Errno::InvalidArgument as u32);
    };
    let (bytes, world) = memory.data_and_store_mut(&mut caller);
    match work(&mut Memory(bytes), &mut world.networks) {
        Ok(()) => Ok(0),
        Err(Failed::Refused(code, why)) => {
            world.networks.say(name, &why);
            Ok(code as u32)
        }
        Err(Failed::Memory) => Err(world.no_memory()),
    }
}

/// The memory of a module.
struct Memory<'a>(&'a mut [u8]);

impl Memory<'_> {
    fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Failed> {
        let end = (at as usize).checked_add(length as usize);
        match end.and_then(|end| self.0.get(at as usize..end)) {
            Some(bytes) => Ok(bytes),
            None => refused(Errno::InvalidArgument, format!("{length} bytes at {at} lie outside the memory")),
        }
    }

    fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Failed> {
        self.bytes(at, length)?;
        Ok(&mut self.0[at as usize..][..length as usize])
    }

    /// The 32-bit numbers of a list.
    fn words(&self, at: u32, count: u32) -> Result<impl Iterator<Item = u32>, Failed> {
        let Some(length) = count.checked_mul(4) else {
            return refused(Errno::InvalidArgument, format!("a list of {count} numbers"));
        };
        Ok(self.bytes(at, length)?.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)))
    }

    fn pair(&self, at: u32) -> Result<(u32, u32), Failed> {
        let mut words = self.words(at, 2)?;
        // Both are there, or `words` had refused.
        Ok((words.next().unwrap_or_default(), words.next().unwrap_or_default()))
    }

    fn write(&mut self, at: u32, number: u32) -> Result<(), Failed> {
        self.bytes_mut(at, 4)?.copy_from_slice(&number.to_le_bytes());
        Ok(())
    }

    /// The bytes of the one model that `load` is given, for an encoding and a target that there are.
    fn model(&self, list: u32, count: u32, encoding: u32, target: u32) -> Result<&[u8], Failed> {
        // `openvino`, `onnx`, `tensorflow`, `pytorch`, `tensorflowlite`, `autodetect`; `cpu`, `gpu`, `tpu`.
        if encoding > 5 || target > 2 {
            return refused(Errno::InvalidArgument, "there is no such encoding or execution target");
        }
        runs(encoding == 1 || encoding == 5, target == 0)?;
        one_model(count as usize)?;
        let (model, length) = self.pair(list)?;
        self.bytes(model, length)
    }

    /// Type, shape and bytes of a tensor, as many as these ask for.
    fn tensor(&self, at: u32) -> Result<(Fact, &[u8]), Failed> {
        // Whole, so that the addresses of its parts below cannot overflow.
        self.bytes(at, TENSOR)?;
        let kind = match self.bytes(at + 8, 1)?[0] {
            0 => return refused(Errno::UnsupportedOperation, "tensors of f16 are not taken"),
            1 => Kind::F32,
            2 => Kind::F64,
            3 => Kind::U8,
            4 => Kind::I32,
            5 => Kind::I64,
            other => return refused(Errno::InvalidArgument, format!("there is no tensor type {other}")),
        };
        let (dimensions, rank) = self.pair(at)?;
        check_rank(rank as usize)?;
        let shape: Vec<u32> = self.words(dimensions, rank)?.collect();
        let (data, length) = self.pair(at + 12)?;
        let data = self.bytes(data, length)?;
        Ok((fact(kind, &shape, data.len())?, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: std::fmt::Debug>(result: &Result<T, Failed>) -> Errno {
        let Err(Failed::Refused(code, _)) = result else { panic!("{result:?}") };
        *code
    }

    /// A record `tensor` at 0, its dimensions at 32, its data at 64, in 128 bytes of memory.
    fn memory(kind: u8, shape: &[u32], length: u32) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        let words = [32, shape.len().try_into().unwrap(), u32::from(kind), 64, length];
        for (at, word) in words.into_iter().enumerate() {
            bytes[4 * at..][..4].copy_from_slice(&word.to_le_bytes());
        }
        for (at, size) in shape.iter().take(8).enumerate() {
            bytes[32 + 4 * at..][..4].copy_from_slice(&size.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn addresses_at_the_edge_of_memory_are_right_to_the_byte() {
        let mut bytes = vec![0; 128];
        let mut memory = Memory(&mut bytes);
        assert_eq!(memory.bytes(0, 128).unwrap().len(), 128);
        assert_eq!(memory.bytes(128, 0).unwrap().len(), 0);
        for (at, length) in [(0, 129), (128, 1), (129, 0), (u32::MAX, u32::MAX), (u32::MAX, 1), (4, u32::MAX)]
        {
            assert_eq!(refusal(&memory.bytes(at, length)), Errno::InvalidArgument, "{at}, {length}");
        }
        memory.write(124, 7).unwrap();
        assert_eq!(refusal(&memory.write(125, 7)), Errno::InvalidArgument);
        assert_eq!(memory.pair(120).unwrap(), (0, 7));
        assert_eq!(refusal(&memory.words(0, 1 << 30).map(Iterator::count)), Errno::InvalidArgument);
    }

    #[test]
    fn a_tensor_has_as_many_bytes_as_type_and_shape_ask_for() {
        let read = |kind, shape: &[u32], length| {
            let mut bytes = memory(kind, shape, length);
            let memory = Memory(&mut bytes);
            memory.tensor(0).map(|(fact, data)| (fact.kind, fact.shape, data.len()))
        };
        assert_eq!(read(1, &[2, 3], 24).unwrap(), (Kind::F32, vec![2, 3], 24));
        assert_eq!(read(2, &[2], 16).unwrap(), (Kind::F64, vec![2], 16));
        assert_eq!(read(3, &[1; 8], 1).unwrap(), (Kind::U8, vec![1; 8], 1));
        assert_eq!(read(4, &[], 4).unwrap(), (Kind::I32, vec![], 4));
        assert_eq!(read(5, &[1, 1, 8], 64).unwrap(), (Kind::I64, vec![1, 1, 8], 64));
        for (kind, shape, length) in [
            (1, &[2, 3][..], 23),
            (1, &[2, 3], 25),
            (1, &[0], 0),
            (1, &[0, u32::MAX], 0),
            // 2^64 elements, and 2^64 bytes.
            (3, &[1 << 16; 4], 0),
            (5, &[1 << 31, 1 << 30], 0),
            (1, &[1 << 30, 1 << 30, 1 << 30], 64),
            (1, &[17], 68),
            (6, &[1], 1),
            (255, &[1], 1),
        ] {
            assert_eq!(
                refusal(&read(kind, shape, length)),
                Errno::InvalidArgument,
                "{kind} {shape:?} {length}"
            );
        }
        assert_eq!(refusal(&read(1, &[1; 9], 4)), Errno::TooLarge);
        assert_eq!(refusal(&read(0, &[1], 2)), Errno::UnsupportedOperation);
        let mut bytes = memory(1, &[1], 4);
        for at in [109, 128, u32::MAX, u32::MAX - 8] {
            assert_eq!(refusal(&Memory(&mut bytes).tensor(at).map(|_| ())), Errno::InvalidArgument, "{at}");
        }
    }
}
