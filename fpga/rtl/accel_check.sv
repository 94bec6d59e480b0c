// SPDX-License-Identifier: Apache-2.0
// Decodes a descriptor and checks it, in the order of the error codes: fields, alignment, buffer, arena. Products come
// from one shift-and-add unit, a bit of the factor a clock, so that no DSP block is used; 30 to 70 clocks in all.
//
//   start_i -> fields -> row_words -> buffer -> source end -> destination end -> constants end -> quarter -> done_o
//                |           |           |          |                |                  |
//                +-----------+-----------+----------+----------------+------------------+--> done_o with error_o
//
//   clk         0        1        2            3 ..             n
//   start_i     1
//               Idle     Fields   RowWords: a bit of the factor a clock .. next product, ..      done_o
//
// Tag and sequence number belong to the ring. layer_o holds until the next start.
`default_nettype none
module accel_check
  import accel_pkg::*;
(
  input  wire              clk_i, rst_ni,
  input  wire              start_i,           // descriptor_i holds until done
  input  wire [15:0][31:0] descriptor_i,
  input  wire [31:0]       arena_bytes_i,
  output logic             done_o,            // one clock
  output logic [7:0]       error_o,
  output layer_t           layer_o
);
  typedef enum logic [3:0] {
    Idle, Fields, RowWords, Buffer, SourcePlanes, SourceRows, TargetPlanes, TargetRows, Constants, Quarter, Done
  } state_e;
  state_e state_q;

  wire [31:0] word0 = descriptor_i[0], word9 = descriptor_i[9], word10 = descriptor_i[10];
  wire [7:0]  op = word0[7:0];
  wire        raw = word0[9];
  wire [1:0]  store = word0[11:10];
  wire [10:0] w = word9[10:0], h = word9[26:16];
  wire [5:0]  cb_in = word10[5:0], cb_out = word10[13:8];
  wire [2:0]  digits = word10[18:16];
  wire [3:0]  k = word10[23:20];
  wire        pad_top = word10[24], pad_bottom = word10[25], pad_left = word10[26], pad_right = word10[27];
  wire        k3 = k == 4'd3;

  // Output sides; 0 or negative where the padded input is smaller than the kernel.
  wire signed [12:0] shrink = k3 ? 13'sd2 : 13'sd0;
  wire signed [12:0] out_h = $signed({2'b0, h}) + $signed({12'b0, pad_top}) + $signed({12'b0, pad_bottom}) - shrink;
  wire signed [12:0] out_w = $signed({2'b0, w}) + $signed({12'b0, pad_left}) + $signed({12'b0, pad_right}) - shrink;

  wire unused_words_set = |{descriptor_i[11], descriptor_i[12], descriptor_i[13], descriptor_i[14], descriptor_i[15]};
  wire reserved_set = (word0[23:12] != 0) | (word9[15:11] != 0) | (word9[31:27] != 0) | (word10[7:6] != 0)
                    | (word10[15:14] != 0) | word10[19] | (word10[31:28] != 0) | unused_words_set;
  wire nop_set = raw | (store != 0)
               | (|{descriptor_i[4], descriptor_i[5], descriptor_i[6], descriptor_i[7], descriptor_i[8], word9, word10});
  wire side_wrong = (w == 0) | (w > 11'd1024) | (h == 0) | (h > 11'd1024);
  wire count_wrong = (cb_in == 0) | (cb_in > 6'd32) | (cb_out == 0) | (cb_out > 6'd32) | (digits == 0) | (digits > 3'd4);
  wire kernel_wrong = ~(k3 | (k == 4'd1)) | (~k3 & (pad_top | pad_bottom | pad_left | pad_right));
  wire store_wrong = (store == 2'd3) | (raw & (store != StorePlain))
                   | ((store == StoreDepth) & (out_h[0] | out_w[0]));
  wire field_wrong = side_wrong | count_wrong | kernel_wrong | store_wrong | (out_h < 13'sd1) | (out_w < 13'sd1);
  wire align_wrong = (descriptor_i[6][5:0] != 0)
                   | (|(descriptor_i[4][4:0] | descriptor_i[5][4:0] | descriptor_i[7][4:0] | descriptor_i[8][4:0]));

  // Pixels and rows of the stored planes.
  wire [11:0] stored_w = store == StoreDepth ? {1'b0, out_w[11:1]} : store == StoreUpsample ? {out_w[10:0], 1'b0} : out_w[11:0];
  wire [11:0] stored_h = store == StoreDepth ? {1'b0, out_h[11:1]} : store == StoreUpsample ? {out_h[10:0], 1'b0} : out_h[11:0];
  wire [9:0]  stored_groups = stored_w[11:2] + {9'd0, |stored_w[1:0]};
  wire [17:0] stored_row = raw ? {stored_groups[8:0], 9'd0} : {3'd0, stored_groups, 5'd0};
  wire [8:0]  groups = w[10:2] + {8'd0, |w[1:0]};
  wire [7:0]  planes = digits == 3'd4 ? {cb_in, 2'b0} : digits == 3'd3 ? {1'b0, cb_in, 1'b0} + {2'b0, cb_in}
                     : digits == 3'd2 ? {1'b0, cb_in, 1'b0} : {2'b0, cb_in};
  wire [8:0]  taps = k3 ? {cb_in, 3'b0} + {3'b0, cb_in} : {3'b0, cb_in};
  wire [7:0]  stored_planes = store == StoreDepth ? {cb_out, 2'b0} : {2'b0, cb_out};
  wire [15:0] block_bytes = {taps, 7'd0} + (raw ? 16'd0 : 16'd512);

  // sum + factor * value, the lowest bit of the factor first
  logic [44:0] sum_q, value_q;
  logic [11:0] factor_q;
  wire        busy = factor_q != 0;
  wire        is_outside = sum_q > {13'd0, arena_bytes_i};

  task automatic multiply(input logic [44:0] sum, input logic [44:0] value, input logic [11:0] factor);
    sum_q    <= sum;
    value_q  <= value;
    factor_q <= factor;
  endtask

  task automatic finish(input logic [7:0] error);
    error_o <= error;
    done_o  <= 1'b1;
    state_q <= Idle;
  endtask

  always_ff @(posedge clk_i) begin
    done_o <= 1'b0;
    if (busy) begin
      sum_q    <= sum_q + (factor_q[0] ? value_q : 45'd0);
      value_q  <= value_q << 1;
      factor_q <= factor_q >> 1;
    end else case (state_q)
      Fields:
        if (op > 8'd1) finish(BadOp);
        else if (reserved_set) finish(BadField);
        else if (op == 8'd0) finish(nop_set ? BadField : Ok);
        else if (field_wrong) finish(BadField);
        else if (align_wrong) finish(BadAlign);
        else begin
          multiply(45'd0, {36'd0, groups}, {4'd0, planes});
          state_q <= RowWords;
        end
      RowWords: begin
        layer_o.row_words <= sum_q[12:0];
        multiply(45'd0, sum_q, {1'b0, h});
        state_q <= Buffer;
      end
      Buffer:
        if (sum_q > 45'(BufferRows)) finish(BufferFull);
        else begin
          multiply({13'd0, descriptor_i[4]}, {13'd0, descriptor_i[7]}, {4'd0, planes} - 12'd1);
          state_q <= SourcePlanes;
        end
      SourcePlanes: begin
        multiply(sum_q, {31'd0, groups, 5'd0}, {1'b0, h});
        state_q <= SourceRows;
      end
      SourceRows:
        if (is_outside) finish(OutOfArena);
        else begin
          multiply({13'd0, descriptor_i[5]}, {13'd0, descriptor_i[8]}, {4'd0, stored_planes} - 12'd1);
          state_q <= TargetPlanes;
        end
      TargetPlanes: begin
        multiply(sum_q, {27'd0, stored_row}, stored_h);
        state_q <= TargetRows;
      end
      TargetRows:
        if (is_outside) finish(OutOfArena);
        else begin
          multiply({13'd0, descriptor_i[6]}, {29'd0, block_bytes}, {6'd0, cb_out});
          state_q <= Constants;
        end
      Constants:
        if (is_outside) finish(OutOfArena);
        else begin
          multiply(45'd0, {13'd0, descriptor_i[8]}, {6'd0, cb_out});
          state_q <= Quarter;
        end
      Quarter: begin
        layer_o.quarter <= sum_q[31:0];
        finish(Ok);
      end
      default: if (start_i) state_q <= Fields;
    endcase
    if (!rst_ni) begin
      state_q  <= Idle;
      factor_q <= '0;
      done_o   <= 1'b0;
    end
  end

  always_ff @(posedge clk_i)
    if (state_q == Fields) begin
      layer_o.src        <= descriptor_i[4];
      layer_o.dst        <= descriptor_i[5];
      layer_o.constants  <= descriptor_i[6];
      layer_o.src_pitch  <= descriptor_i[7];
      layer_o.dst_pitch  <= descriptor_i[8];
      layer_o.w          <= w;
      layer_o.h          <= h;
      layer_o.out_w      <= out_w[10:0];
      layer_o.out_h      <= out_h[10:0];
      layer_o.cb_in      <= cb_in;
      layer_o.cb_out     <= cb_out;
      layer_o.digits     <= digits;
      layer_o.k3         <= k3;
      layer_o.pad_top    <= pad_top;
      layer_o.pad_left   <= pad_left;
      layer_o.store      <= store;
      layer_o.raw        <= raw;
      layer_o.groups     <= groups;
      layer_o.planes     <= planes;
      layer_o.taps       <= taps;
      layer_o.stored_row <= stored_row;
    end
endmodule
`default_nettype wire
