// Interprets fused regions, a block of lanes at a time. A register is CLAT_LANE_BLOCK floats; whole
// vectors are computed, and lanes beyond the block's are dropped where they are stored or summed.

typedef struct {
  const clat_fused_args *args;
  const clat_lane_program *program;
  int64_t image;
  float *registers, *rows;
  float scalars[CLAT_LANE_SCALARS];
  vf sums[CLAT_LANE_SCALARS];
} lane_state;

/// Lanes `channel` ... `channel + count` of a pixel.
typedef struct {
  int64_t pixel;
  int32_t channel, count;
} lane_block;

INLINE int live_lanes(const lane_block *at, int32_t i) {
  return at->count - i < LANES ? at->count - i : LANES;
}

static float *lane_row(const lane_state *s, int32_t index, int32_t channel) {
  return s->rows + (int64_t)index * s->program->channels + channel;
}

static int64_t lane_offset(const lane_state *s, clat_lane_role role, const lane_block *at) {
  const int64_t pixel = s->image * s->args->pixels + at->pixel, channels = s->program->channels;
  switch (role) {
  case CLAT_ROLE_FULL: return pixel * channels + at->channel;
  case CLAT_ROLE_BITS: return pixel * ((channels + 7) / 8) + at->channel / 8;
  case CLAT_ROLE_CHANNEL: return at->channel;
  case CLAT_ROLE_IMAGE: return s->image;
  case CLAT_ROLE_IMAGE_CHANNEL: return s->image * channels + at->channel;
  }
  return 0;
}

#define EACH_VECTOR for (int32_t i = 0; i < at->count; i += LANES)

static void lane_fill(float *to, const lane_block *at, vf value) {
  EACH_VECTOR *(vf *)(to + i) = value;
}

static void lane_load(const lane_state *s, const clat_lane_step *step, const lane_block *at,
                      float *to) {
  const clat_lane_role role = s->program->roles[step->index];
  const void *from = s->args->operands[step->index];
  const int64_t offset = lane_offset(s, role, at);
  if (role == CLAT_ROLE_IMAGE) {
    lane_fill(to, at, splat(((const float *)from)[offset]));
  } else if (role == CLAT_ROLE_BITS) {
    const uint8_t *bits = (const uint8_t *)from + offset;
    EACH_VECTOR *(vf *)(to + i) =
        blend(load_bits(bits, i, live_lanes(at, i)), splat(1), splat(0));
  } else {
    EACH_VECTOR *(vf *)(to + i) = load((const float *)from + offset + i, live_lanes(at, i));
  }
}

static void lane_store(const lane_state *s, const clat_lane_step *step, const lane_block *at,
                       const float *a) {
  const clat_lane_role role = s->program->roles[step->index];
  void *to = s->args->operands[step->index];
  const int64_t offset = lane_offset(s, role, at);
  EACH_VECTOR {
    const vf value = *(const vf *)(a + i);
    const int n = live_lanes(at, i);
    if (role == CLAT_ROLE_BITS) {
      store_bits((uint8_t *)to + offset, i, (value > 0) & (lane_index < n), n);
    } else {
      store((float *)to + offset + i, value, n);
    }
  }
}

static void lane_reduce(lane_state *s, const clat_lane_step *step, const lane_block *at,
                        const float *a) {
  vf *sum = &s->sums[step->index];
  EACH_VECTOR {
    const vf value = *(const vf *)(a + i);
    const vi live = lane_index < live_lanes(at, i);
    if (step->op == CLAT_LANE_SUM) {
      *sum += blend(live, value, splat(0));
    } else {
      *sum = blend(live & (*sum < value), value, *sum);
    }
  }
}

#define UNARY(op, expression)                                                                     \
  case op:                                                                                        \
    EACH_VECTOR {                                                                                 \
      const vf x = *(const vf *)(a + i);                                                          \
      *(vf *)(to + i) = expression;                                                               \
    }                                                                                             \
    break;
#define BINARY(op, expression)                                                                    \
  case op:                                                                                        \
    EACH_VECTOR {                                                                                 \
      const vf x = *(const vf *)(a + i), y = *(const vf *)(b + i);                                \
      *(vf *)(to + i) = expression;                                                               \
    }                                                                                             \
    break;
#define TERNARY(op, expression)                                                                   \
  case op:                                                                                        \
    EACH_VECTOR {                                                                                 \
      const vf x = *(const vf *)(a + i), y = *(const vf *)(b + i), z = *(const vf *)(c + i);      \
      *(vf *)(to + i) = expression;                                                               \
    }                                                                                             \
    break;

static void lane_step(lane_state *s, const clat_lane_step *step, const lane_block *at) {
  float *const to = s->registers + (int64_t)step->slot * CLAT_LANE_BLOCK;
  const float *a = s->registers + (int64_t)step->a * CLAT_LANE_BLOCK;
  const float *b = s->registers + (int64_t)step->b * CLAT_LANE_BLOCK;
  const float *c = s->registers + (int64_t)step->c * CLAT_LANE_BLOCK;
  float *row = lane_row(s, step->index, at->channel);
  switch (step->op) {
  case CLAT_LANE_LOAD: lane_load(s, step, at, to); break;
  case CLAT_LANE_CONSTANT: lane_fill(to, at, splat(step->value)); break;
  case CLAT_LANE_SCALAR: lane_fill(to, at, splat(s->scalars[step->index])); break;
  case CLAT_LANE_ROW: EACH_VECTOR *(vf *)(to + i) = load(row + i, live_lanes(at, i)); break;
    BINARY(CLAT_LANE_ADD, x + y)
    BINARY(CLAT_LANE_SUBTRACT, x - y)
    BINARY(CLAT_LANE_MULTIPLY, x * y)
    BINARY(CLAT_LANE_DIVIDE, x / y)
    TERNARY(CLAT_LANE_MULTIPLY_ADD, x * y + z)
    BINARY(CLAT_LANE_MAXIMUM, blend(x < y, y, x))
    TERNARY(CLAT_LANE_SELECT, blend(x > 0, y, z))
    UNARY(CLAT_LANE_ABSOLUTE, lanes_absolute(x))
    UNARY(CLAT_LANE_EXP, lanes_exp(x))
    UNARY(CLAT_LANE_LOG, lanes_log(x))
    UNARY(CLAT_LANE_LOG1P, lanes_log1p(x))
    UNARY(CLAT_LANE_ERF, lanes_erf(x))
    UNARY(CLAT_LANE_TANH, lanes_tanh(x))
  case CLAT_LANE_STORE: lane_store(s, step, at, a); break;
  case CLAT_LANE_SET_SCALAR: s->scalars[step->index] = a[0]; break;
  case CLAT_LANE_SET_ROW:
    EACH_VECTOR store(row + i, *(const vf *)(a + i), live_lanes(at, i));
    break;
  case CLAT_LANE_SUM:
  case CLAT_LANE_TOP: lane_reduce(s, step, at, a); break;
  case CLAT_LANE_SUM_ROW:
    EACH_VECTOR {
      const int n = live_lanes(at, i);
      store(row + i, load(row + i, n) + *(const vf *)(a + i), n);
    }
    break;
  }
}
#undef UNARY
#undef BINARY
#undef TERNARY
#undef EACH_VECTOR

static void lane_begin(lane_state *s, const clat_lane_loop *loop) {
  for (int32_t k = 0; k < loop->count; k++) {
    const clat_lane_step *step = &loop->steps[k];
    if (step->op == CLAT_LANE_SUM) s->sums[step->index] = splat(0);
    if (step->op == CLAT_LANE_TOP) s->sums[step->index] = splat(-__builtin_inff());
    if (step->op == CLAT_LANE_SUM_ROW) {
      memset(lane_row(s, step->index, 0), 0, (size_t)s->program->channels * sizeof(float));
    }
  }
}

static void lane_end(lane_state *s, const clat_lane_loop *loop) {
  for (int32_t k = 0; k < loop->count; k++) {
    const clat_lane_step *step = &loop->steps[k];
    if (step->op != CLAT_LANE_SUM && step->op != CLAT_LANE_TOP) continue;
    float lanes[LANES];
    memcpy(lanes, &s->sums[step->index], sizeof lanes);
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        const float other = lanes[i + half];
        if (step->op == CLAT_LANE_SUM) {
          lanes[i] += other;
        } else if (lanes[i] < other) {
          lanes[i] = other;
        }
      }
    }
    s->scalars[step->index] = lanes[0];
  }
}

static void lane_loop(lane_state *s, const clat_lane_loop *loop) {
  const int64_t pixels = loop->space == CLAT_ROLE_FULL ? s->args->pixels : 1;
  const int32_t channels = loop->space == CLAT_ROLE_IMAGE ? 1 : s->program->channels;
  lane_begin(s, loop);
  for (int64_t pixel = 0; pixel < pixels; pixel++) {
    for (int32_t c = 0; c < channels; c += CLAT_LANE_BLOCK) {
      const int32_t count = channels - c < CLAT_LANE_BLOCK ? channels - c : CLAT_LANE_BLOCK;
      const lane_block at = {pixel, c, count};
      for (int32_t k = 0; k < loop->count; k++) lane_step(s, &loop->steps[k], &at);
    }
  }
  lane_end(s, loop);
}

void CLAT_KERNEL(fused)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_fused_args *a = args;
  lane_state s = {.args = a, .program = a->program, .registers = scratch};
  s.rows = s.registers + (int64_t)a->program->registers * CLAT_LANE_BLOCK;
  for (s.image = begin; s.image < end; s.image++) {
    for (int32_t k = 0; k < a->program->loop_count; k++) lane_loop(&s, &a->program->loops[k]);
  }
}
