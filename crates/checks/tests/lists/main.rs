//! Lists as they are asked: zones that answer, fail, lie and keep silent, and
//! files.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod trial;
