//! What disclosure control promises, held against other people's answers and against all solutions.

mod corpus;
mod means;
mod optimum;
mod protect;
mod published;
mod reference;
mod solutions;
