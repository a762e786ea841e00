// Where a tape writes a text that hangs on the row alone, so that a machine may make it ready before the row
// runs. Owner: adds to the tape it is given. Threads: any; one tape belongs to one thread until it is made.
#pragma once

#include "labfactory/plan/tape.hpp"

namespace labfactory {

// Adds the sites of single steps and of choices to those of chains, and how often rows come by each.
void find_sites(Tape& tape);

}  // namespace labfactory
