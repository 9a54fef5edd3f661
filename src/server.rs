//! The composition root: wires everything, owns nothing else.
