#include "cllvm.h"

#include <dlfcn.h>
#include <stddef.h>

const char *cllvm_load(void *library, cllvm *table) {
#define CLLVM_FIND(name)                                                                          \
  table->name = (__typeof__(&name))dlsym(library, #name);                                         \
  if (!table->name) return #name;
  CLLVM_FUNCTIONS(CLLVM_FIND)
#undef CLLVM_FIND
#define CLLVM_CALL(name) table->name();
  CLLVM_NATIVE(CLLVM_CALL)
#undef CLLVM_CALL
  return NULL;
}
