#include "unicode_tables.inc"
