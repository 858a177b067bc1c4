import IR

extension Pickle {
  /// The names that a checkpoint may refer to. None is imported: each stands for a rule of ours that
  /// makes tensors, numbers, text or containers.
  enum Global: Equatable {
    case orderedDictionary, defaultDictionary, set, size, device, namespace
    case rebuildTensor, rebuildTypedTensor, rebuildParameter, rebuildSubclass
    case encodeBytes, numpyScalar, numpyType
    case storage(StoredType?)
    case type(StoredType)
    /// A class that is only mentioned, such as the factory of a `defaultdict`.
    case mentioned

    /// - Throws: PickleError that names what else was to be called.
    init(module: String, name: String) throws {
      let path = module + "." + name
      if let known = Self.known[path] {
        self = known
      } else if ["torch", "torch.cuda", "torch.storage"].contains(module),
        let storage = Self.storages[name]
      {
        self = .storage(storage)
      } else if module == "torch", let type = Self.types[name] {
        self = .type(type)
      } else {
        throw PickleError(
          "refuses to call \(printable(path)): weights are tensors, numbers, text and containers "
            + "(of a module, save its state_dict)")
      }
    }

    private static let known: [String: Global] = {
      var known: [String: Global] = [
        "collections.OrderedDict": .orderedDictionary,
        "collections.defaultdict": .defaultDictionary,
        "torch.Size": .size,
        "torch.device": .device,
        "argparse.Namespace": .namespace,
        "torch._utils._rebuild_tensor": .rebuildTensor,
        "torch._utils._rebuild_tensor_v2": .rebuildTensor,
        "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
        "torch._utils._rebuild_parameter": .rebuildParameter,
        "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
        "torch._tensor._rebuild_from_type_v2": .rebuildSubclass,
        "torch.Tensor": .mentioned,
        "torch._tensor.Tensor": .mentioned,
        "torch.nn.parameter.Parameter": .mentioned,
        "_codecs.encode": .encodeBytes,
        "numpy.core.multiarray.scalar": .numpyScalar,
        "numpy._core.multiarray.scalar": .numpyScalar,
        "numpy.dtype": .numpyType,
      ]
      // Python 2's name, and Python 3's.
      for module in ["__builtin__", "builtins"] {
        for name in ["set", "frozenset"] { known["\(module).\(name)"] = .set }
        known["\(module).dict"] = .orderedDictionary
        for name in ["list", "tuple", "int", "float", "str", "bool"] {
          known["\(module).\(name)"] = .mentioned
        }
      }
      return known
    }()

    private static let storages: [String: StoredType?] = [
      "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
      "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
      "ByteStorage": .u8, "BoolStorage": .bool, "UntypedStorage": nil,
    ]

    private static let types: [String: StoredType] = [
      "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64,
      "int32": .i32, "int16": .i16, "int8": .i8, "uint64": .u64, "uint32": .u32, "uint16": .u16,
      "uint8": .u8, "bool": .bool,
    ]

    /// PyTorch's class of a storage, or nil where it has none.
    static func storageName(_ type: StoredType) -> String? {
      storages.first { $0.value == type }?.key
    }
  }
}
