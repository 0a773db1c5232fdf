//! How long one object is in Java's serialized form (Java Object Serialization Specification, chapter 6).
//!
//! A JCEKS file holds each secret key as such an object without saying its length, so what follows can only be found by
//! walking through it. No object is ever made from what is read here. Depth, steps and classes are bounded, and classes
//! are shared and not copied, because any number of them may have one as their parent.

use std::rc::Rc;

const STREAM: &[u8] = &[0xAC, 0xED, 0x00, 0x05];
/// The handle of the first thing in a stream (`baseWireHandle`).
const FIRST_HANDLE: u32 = 0x007E_0000;
/// Things inside of things.
const DEPTH: usize = 16;
/// Things of one stream.
const STEPS: usize = 1_000;
/// Fields of one class.
const FIELDS: usize = 64;

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END_OF_BLOCKS: u8 = 0x78;
/// The class writes more than its fields (`SC_WRITE_METHOD`).
const WRITES_MORE: u8 = 0x01;

/// Bytes of the stream that these begin with; `None` when they do not, or when it is not as simple as a key is.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk { bytes, at: 0, handles: Vec::new(), steps: 0 };
    (walk.take(STREAM.len())? == STREAM).then_some(())?;
    walk.thing(0)?;
    Some(walk.at)
}

struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    /// What later references may mean: a class, or anything else.
    handles: Vec<Option<Rc<Class>>>,
    steps: usize,
}

struct Class {
    /// The type code of an array's elements, which is the second letter of its class's name.
    element: Option<u8>,
    flags: u8,
    /// The type code of each field.
    fields: Vec<u8>,
    parent: Option<Rc<Class>>,
}

impl<'b> Walk<'b> {
    fn thing(&mut self, depth: usize) -> Option<()> {
        self.steps += 1;
        (depth < DEPTH && self.steps < STEPS).then_some(())?;
        match self.byte()? {
            NULL => Some(()),
            REFERENCE => self.reference().map(drop),
            STRING => {
                self.handles.push(None);
                self.text().map(drop)
            }
            OBJECT => {
                let class = self.class(depth + 1)??;
                self.handles.push(None);
                self.values(&class, depth)
            }
            ARRAY => {
                let class = self.class(depth + 1)??;
                self.handles.push(None);
                let count = self.number()?;
                let code = class.element?;
                (0..count).try_for_each(|_| self.value(code, depth))
            }
            BLOCK => {
                let length = self.byte()?;
                self.take(usize::from(length)).map(drop)
            }
            _ => None,
        }
    }

    /// A class; the inner `None` stands for the end of a line of parents.
    #[expect(clippy::option_option, reason = "no class is something else than a broken stream")]
    fn class(&mut self, depth: usize) -> Option<Option<Rc<Class>>> {
        self.steps += 1;
        (depth < DEPTH && self.steps < STEPS).then_some(())?;
        match self.byte()? {
            NULL => Some(None),
            REFERENCE => self.reference()?.map(Some),
            CLASS => {
                let element = self.text()?.get(1).copied();
                self.take(8)?;
                let handle = self.handles.len();
                self.handles.push(None);
                let flags = self.byte()?;
                let fields = self.fields(depth)?;
                self.annotations(depth)?;
                let parent = self.class(depth + 1)?;
                let class = Rc::new(Class { element, flags, fields, parent });
                *self.handles.get_mut(handle)? = Some(Rc::clone(&class));
                Some(Some(class))
            }
            _ => None,
        }
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<u8>> {
        let count = self.take(2)?.iter().fold(0, |count, byte| count << 8 | usize::from(*byte));
        (count <= FIELDS).then_some(())?;
        let mut field = || {
            let code = self.byte()?;
            self.text()?;
            if matches!(code, b'[' | b'L') {
                self.thing(depth + 1)?;
            }
            Some(code)
        };
        (0..count).map(|_| field()).collect()
    }

    /// The fields' values, those of the eldest class first.
    fn values(&mut self, class: &Class, depth: usize) -> Option<()> {
        if let Some(parent) = &class.parent {
            self.values(parent, depth)?;
        }
        class.fields.iter().try_for_each(|code| self.value(*code, depth))?;
        if class.flags & WRITES_MORE == 0 { Some(()) } else { self.annotations(depth) }
    }

    fn value(&mut self, code: u8, depth: usize) -> Option<()> {
        let bytes = match code {
            b'B' | b'Z' => 1,
            b'C' | b'S' => 2,
            b'F' | b'I' => 4,
            b'D' | b'J' => 8,
            b'[' | b'L' => return self.thing(depth + 1),
            _ => return None,
        };
        self.take(bytes).map(drop)
    }

    fn annotations(&mut self, depth: usize) -> Option<()> {
        while *self.bytes.get(self.at)? != END_OF_BLOCKS {
            self.thing(depth + 1)?;
        }
        self.byte().map(drop)
    }

    /// What was met before; the inner `None` stands for something else than a class.
    #[expect(clippy::option_option, reason = "what is no class is something else than a broken stream")]
    fn reference(&mut self) -> Option<Option<Rc<Class>>> {
        let handle = self.number()?.checked_sub(FIRST_HANDLE)?;
        self.handles.get(usize::try_from(handle).ok()?).cloned()
    }

    fn text(&mut self) -> Option<&'b [u8]> {
        let length = self.take(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.take(length)
    }

    fn number(&mut self) -> Option<u32> {
        Some(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}
