// Package ops is what the officer's writes are: how each is asked for, how its
// answer is judged, and how a lost answer is settled by reading back. One file
// a write; a single call and a bulk run go the same way.
//
// Nothing is called done because the gateway said so: the state is read back,
// after success too, since a servlet container may have dropped half of the
// ids without a word.
package ops
