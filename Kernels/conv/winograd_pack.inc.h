// The transforms of the filters as values of their own.

static void pack_transforms(const clat_winograd_pack_args *a, int64_t begin, int64_t end,
                            int64_t points, panel_transform *transform) {
  const int64_t depth = a->transpose ? a->out_channels : a->in_channels;
  const filter_source source = {.weights = a->weights,
                                .in_channels = a->in_channels,
                                .channels = a->transpose ? a->in_channels : a->out_channels,
                                .transpose = a->transpose};
  for (int64_t panel = begin; panel < end; panel++)
    transform(&source, panel * CLAT_PANEL, 0, depth,
              a->packed + panel * points * depth * CLAT_PANEL, depth * CLAT_PANEL);
}

void CLAT_KERNEL(winograd_pack)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  pack_transforms(args, begin, end, CLAT_WINOGRAD_POINTS, transform_panel_4);
}

void CLAT_KERNEL(winograd_2x2_pack)(const void *args, int64_t begin, int64_t end,
                                         void *scratch) {
  (void)scratch;
  pack_transforms(args, begin, end, CLAT_WINOGRAD_2X2_POINTS, transform_panel_2);
}

void CLAT_KERNEL(winograd_strided_pack)(const void *args, int64_t begin, int64_t end,
                                             void *scratch) {
  (void)scratch;
  pack_transforms(args, begin, end, CLAT_WINOGRAD_POINTS, transform_panel_strided);
}
