// LLVM's C interface as a table of functions, filled when the library is loaded: clat runs without LLVM, and
// its headers still check every call. Every function is there from LLVM 14 on.
#ifndef CLLVM_H
#define CLLVM_H

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#if defined(__x86_64__)
#define CLLVM_NATIVE(FUNCTION)                                                                    \
  FUNCTION(LLVMInitializeX86TargetInfo)                                                           \
  FUNCTION(LLVMInitializeX86Target)                                                               \
  FUNCTION(LLVMInitializeX86TargetMC)                                                             \
  FUNCTION(LLVMInitializeX86AsmPrinter)
#elif defined(__aarch64__)
#define CLLVM_NATIVE(FUNCTION)                                                                    \
  FUNCTION(LLVMInitializeAArch64TargetInfo)                                                       \
  FUNCTION(LLVMInitializeAArch64Target)                                                           \
  FUNCTION(LLVMInitializeAArch64TargetMC)                                                         \
  FUNCTION(LLVMInitializeAArch64AsmPrinter)
#else
#define CLLVM_NATIVE(FUNCTION)
#endif

#define CLLVM_FUNCTIONS(FUNCTION)                                                                 \
  CLLVM_NATIVE(FUNCTION)                                                                          \
  FUNCTION(LLVMContextCreate)                                                                     \
  FUNCTION(LLVMContextDispose)                                                                    \
  FUNCTION(LLVMModuleCreateWithNameInContext)                                                     \
  FUNCTION(LLVMDisposeModule)                                                                     \
  FUNCTION(LLVMSetTarget)                                                                         \
  FUNCTION(LLVMSetModuleDataLayout)                                                               \
  FUNCTION(LLVMPrintModuleToString)                                                               \
  FUNCTION(LLVMDisposeMessage)                                                                    \
  FUNCTION(LLVMVerifyModule)                                                                      \
  FUNCTION(LLVMVoidTypeInContext)                                                                 \
  FUNCTION(LLVMIntTypeInContext)                                                                  \
  FUNCTION(LLVMFloatTypeInContext)                                                                \
  FUNCTION(LLVMVectorType)                                                                        \
  FUNCTION(LLVMPointerType)                                                                       \
  FUNCTION(LLVMFunctionType)                                                                      \
  FUNCTION(LLVMAddFunction)                                                                       \
  FUNCTION(LLVMGetParam)                                                                          \
  FUNCTION(LLVMCreateStringAttribute)                                                             \
  FUNCTION(LLVMAddAttributeAtIndex)                                                               \
  FUNCTION(LLVMLookupIntrinsicID)                                                                 \
  FUNCTION(LLVMGetIntrinsicDeclaration)                                                           \
  FUNCTION(LLVMIntrinsicGetType)                                                                  \
  FUNCTION(LLVMAppendBasicBlockInContext)                                                         \
  FUNCTION(LLVMCreateBuilderInContext)                                                            \
  FUNCTION(LLVMDisposeBuilder)                                                                    \
  FUNCTION(LLVMPositionBuilderAtEnd)                                                              \
  FUNCTION(LLVMGetInsertBlock)                                                                    \
  FUNCTION(LLVMConstInt)                                                                          \
  FUNCTION(LLVMConstReal)                                                                         \
  FUNCTION(LLVMConstVector)                                                                       \
  FUNCTION(LLVMConstNull)                                                                         \
  FUNCTION(LLVMGetUndef)                                                                          \
  FUNCTION(LLVMSetAlignment)                                                                      \
  FUNCTION(LLVMBuildFAdd)                                                                         \
  FUNCTION(LLVMBuildFSub)                                                                         \
  FUNCTION(LLVMBuildFMul)                                                                         \
  FUNCTION(LLVMBuildFDiv)                                                                         \
  FUNCTION(LLVMBuildFCmp)                                                                         \
  FUNCTION(LLVMBuildICmp)                                                                         \
  FUNCTION(LLVMBuildAdd)                                                                          \
  FUNCTION(LLVMBuildSub)                                                                          \
  FUNCTION(LLVMBuildMul)                                                                          \
  FUNCTION(LLVMBuildAnd)                                                                          \
  FUNCTION(LLVMBuildShl)                                                                          \
  FUNCTION(LLVMBuildAShr)                                                                         \
  FUNCTION(LLVMBuildSIToFP)                                                                       \
  FUNCTION(LLVMBuildZExt)                                                                         \
  FUNCTION(LLVMBuildTrunc)                                                                        \
  FUNCTION(LLVMBuildBitCast)                                                                      \
  FUNCTION(LLVMBuildSelect)                                                                       \
  FUNCTION(LLVMBuildShuffleVector)                                                                \
  FUNCTION(LLVMBuildInsertElement)                                                                \
  FUNCTION(LLVMBuildExtractElement)                                                               \
  FUNCTION(LLVMBuildAlloca)                                                                       \
  FUNCTION(LLVMBuildLoad2)                                                                        \
  FUNCTION(LLVMBuildStore)                                                                        \
  FUNCTION(LLVMBuildGEP2)                                                                         \
  FUNCTION(LLVMBuildCall2)                                                                        \
  FUNCTION(LLVMBuildBr)                                                                           \
  FUNCTION(LLVMBuildCondBr)                                                                       \
  FUNCTION(LLVMBuildPhi)                                                                          \
  FUNCTION(LLVMAddIncoming)                                                                       \
  FUNCTION(LLVMBuildRetVoid)                                                                      \
  FUNCTION(LLVMGetDefaultTargetTriple)                                                            \
  FUNCTION(LLVMGetTargetFromTriple)                                                               \
  FUNCTION(LLVMCreateTargetMachine)                                                               \
  FUNCTION(LLVMDisposeTargetMachine)                                                              \
  FUNCTION(LLVMCreateTargetDataLayout)                                                            \
  FUNCTION(LLVMDisposeTargetData)                                                                 \
  FUNCTION(LLVMTargetMachineEmitToMemoryBuffer)                                                   \
  FUNCTION(LLVMGetBufferStart)                                                                    \
  FUNCTION(LLVMGetBufferSize)                                                                     \
  FUNCTION(LLVMDisposeMemoryBuffer)                                                               \
  FUNCTION(LLVMCreateMemoryBufferWithMemoryRangeCopy)                                             \
  FUNCTION(LLVMCreatePassBuilderOptions)                                                          \
  FUNCTION(LLVMDisposePassBuilderOptions)                                                         \
  FUNCTION(LLVMRunPasses)                                                                         \
  FUNCTION(LLVMOrcCreateLLJIT)                                                                    \
  FUNCTION(LLVMOrcLLJITGetMainJITDylib)                                                           \
  FUNCTION(LLVMOrcLLJITAddObjectFile)                                                             \
  FUNCTION(LLVMOrcLLJITLookup)                                                                    \
  FUNCTION(LLVMGetErrorMessage)                                                                   \
  FUNCTION(LLVMDisposeErrorMessage)

typedef struct {
#define CLLVM_FIELD(name) __typeof__(&name) name;
  CLLVM_FUNCTIONS(CLLVM_FIELD)
#undef CLLVM_FIELD
} cllvm;

/// Fills the table from a library that dlopen returned, and sets up code generation for this CPU's
/// architecture. Returns NULL, or the name of the first function that the library lacks.
const char *cllvm_load(void *library, cllvm *table);

#endif
