"""Logs as well-known tools print them, each with the noise around it, and the curves that are in them."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

STYLES: dict[str, Callable[[], Style]] = {}


@dataclass
class Style:
    """`curves`: canonical name -> every value in order; `x`: name -> every place; `axis`: name -> name of the axis."""

    text: str
    curves: dict[str, list[float]]
    x: dict[str, list[float]] = field(default_factory=dict)
    axis: dict[str, str] = field(default_factory=dict)


def style(make: Callable[[], Style]) -> Callable[[], Style]:
    """Adds one to the collection under its function's name."""
    STYLES[make.__name__] = make
    return make


def falling(count: int, start: float = 2.5, digits: int = 3) -> list[float]:
    """A loss: start, start / 1.5, start / 2 ..."""
    return [round(start * 2 / (2 + i), digits) for i in range(count)]


def rising(count: int, start: float = 0.3, digits: int = 3) -> list[float]:
    """An accuracy below 1."""
    return [round(1 - (1 - start) * 2 / (2 + i), digits) for i in range(count)]


@style
def darknet() -> Style:
    step, mean, rate = falling(4, 700), falling(4, 723.28), [0.0, 0.00013, 0.001, 0.001]
    text = "yolov3-custom\nlayer     filters    size              input                output\n"
    text += "    0 conv     32  3 x 3 / 1   416 x 416 x   3   ->   416 x 416 x  32  0.299 BFLOPs\n"
    text += "  106 yolo\nLoading weights from darknet53.conv.74...Done!\n"
    text += "Learning Rate: 0.001, Momentum: 0.9, Decay: 0.0005\nResizing\n608\nLoaded: 0.000038 seconds\n"
    for i in range(4):
        text += "Region 82 Avg IOU: 0.287866, Class: 0.455387, Obj: 0.497538, No Obj: 0.52, .5R: 0.0, .75R: 0.0,  count: 3\n"
        text += "Region 94 Avg IOU: -nan, Class: -nan, Obj: -nan, No Obj: 0.517, .5R: -nan, .75R: -nan,  count: 0\n"
        text += f"\n {(i + 1) * 100}: {step[i]:.6f}, {mean[i]:.6f} avg loss, {rate[i]:.6f} rate, 9.412 seconds, {6400 * (i + 1)} images, 3.2 hours left\n"
        text += "Loaded: 0.000041 seconds\n (next mAP calculation at 1000 iterations) \n"
    text += "Saving weights to backup//yolov3_last.weights\n"
    return Style(
        text,
        {"train/loss": mean, "train/loss_step": step, "lr": rate},
        {"train/loss": [100, 200, 300, 400]},
        {"train/loss": "step"},
    )


@style
def darknet_that_measures_map() -> Style:
    mean, maps = falling(4, 12.0), [0.41, 0.63]
    text = "mini_batch = 4, batch = 64, time_steps = 1, train = 1\n"
    for i in range(4):
        text += "v3 (iou loss, Normalizer: (iou: 0.07, obj: 1.00, cls: 1.00) Region 30 Avg (IOU: 0.418), count: 7, class_loss = 1.2, iou_loss = 0.3, total_loss = 1.5 \n"
        text += " total_bbox = 4212, rewritten_bbox = 0.000000 % \n"
        text += f"\n (next mAP calculation at 1000 iterations) \n {i + 1}: 3.1, {mean[i]} avg loss, 0.0013 rate, 1.1 seconds, {64 * (i + 1)} images, 0.9 hours left\n"
        if i % 2:
            text += " calculation mAP (mean average precision)...\n Detection layer: 30 - type = 28 \n"
            text += "class_id = 0, name = cat, ap = 41.20%   \t (TP = 20, FP = 9) \n"
            text += " for conf_thresh = 0.25, precision = 0.69, recall = 0.41, F1-score = 0.51 \n"
            text += f" mean average precision (mAP@0.50) = {maps[i // 2]:.6f}, or {100 * maps[i // 2]:.2f} % \n"
            text += f" Last accuracy mAP@0.50 = {100 * maps[i // 2]:.2f} %, best = {100 * maps[i // 2]:.2f} % \n"
    return Style(
        text,
        {"train/loss": mean, "val/map50": maps, "lr": [0.0013] * 4},
        {"train/loss": [1, 2, 3, 4], "val/map50": [2, 4]},
    )


FAIRSEQ = "nll_loss {b} | ppl 320.2 | wps 12000.1 | ups 3.5 | wpb 3500 | bsz 120 | num_updates {n} | lr {lr} | gnorm {g} | clip 0.0 | oom 0.0 | wall 400 | train_wall 380"


@style
def fairseq_old() -> Style:
    train, val, norm, rate = falling(3, 9.2), falling(3, 7.4), falling(3, 1.9), [0.0001, 0.0002, 0.00025]
    text = "| distributed init (rank 0): tcp://localhost:1234\nNamespace(adam_betas='(0.9, 0.98)', lr=[0.0005], clip_norm=25, dropout=0.3, criterion='label_smoothed_cross_entropy', max_epoch=3, warmup_updates=4000)\n"
    text += "| [de] dictionary: 8848 types\n| loaded 7283 examples from: data-bin/valid.de-en.de\n| num. model params: 39469056 (num. trained: 39469056)\n"
    for i in range(3):
        e, n = i + 1, 1100 * (i + 1)
        text += f"| epoch {e:03d} | loss {train[i]} | {FAIRSEQ.format(b=8.1, n=n, lr=rate[i], g=norm[i])}\n"
        text += (
            f"| epoch {e:03d} | valid on 'valid' subset | loss {val[i]} | nll_loss 6.1 | ppl 68.7 | num_updates {n}\n"
        )
        text += (
            f"| saved checkpoint checkpoints/checkpoint{e}.pt (epoch {e} @ {n} updates) (writing took 1.5 seconds)\n"
        )
    text += "| done training in 1200.5 seconds\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "grad_norm": norm, "lr": rate},
        {"train/loss": [1, 2, 3], "val/loss": [1, 2, 3]},
        {"val/loss": "epoch"},
    )


@style
def fairseq_new() -> Style:
    train, val, inner = falling(2, 9.2), falling(2, 7.4), falling(6, 10.1)
    stamp = "2020-06-01 12:00:0{} | INFO | "
    text = (
        stamp.format(0)
        + "fairseq_cli.train | Namespace(activation_fn='relu', lr=[0.0005], batch_size=None, clip_norm=0.0, max_epoch=2)\n"
    )
    text += stamp.format(0) + "fairseq_cli.train | num. model params: 39469056 (num. trained: 39469056)\n"
    text += stamp.format(1) + "fairseq.trainer | begin training epoch 1\n"
    for e in (1, 2):
        for k in range(3):
            value = inner[3 * (e - 1) + k]
            text += (
                stamp.format(2)
                + f"train_inner | epoch {e:03d}:    {100 * (k + 1)} / 350 loss={value}, nll_loss=9.8, ppl=900, wps=12000, ups=3.4, wpb=3500, bsz=120, num_updates={350 * (e - 1) + 100 * (k + 1)}, lr=1.2e-05, gnorm=2.1, loss_scale=128, train_wall=29, wall=33\n"
            )
        text += stamp.format(3) + 'fairseq_cli.train | begin validation on "valid" subset\n'
        text += (
            stamp.format(3)
            + f"valid | epoch {e:03d} | valid on 'valid' subset | loss {val[e - 1]} | nll_loss 6.1 | ppl 68.7 | wps 30000 | wpb 2800 | bsz 110 | num_updates {350 * e} | best_loss {val[e - 1]}\n"
        )
        text += (
            stamp.format(3)
            + f"fairseq.checkpoint_utils | saved checkpoint checkpoints/checkpoint{e}.pt (epoch {e} @ {350 * e} updates, score {val[e - 1]}) (writing took 1.5 seconds)\n"
        )
        text += stamp.format(4) + f"fairseq_cli.train | end of epoch {e} (average epoch stats below)\n"
        text += (
            stamp.format(4)
            + f"train | epoch {e:03d} | loss {train[e - 1]} | {FAIRSEQ.format(b=8.1, n=350 * e, lr=4.4e-05, g=1.5)}\n"
        )
    text += stamp.format(5) + "fairseq_cli.train | done training in 66.5 seconds\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "train/loss_step": inner, "lr": [1.2e-05] * 6, "grad_norm": [2.1] * 6},
        {"train/loss": [1, 2]},
    )


@style
def fastai_stages() -> Style:
    train, val, accuracy = falling(5, 0.9), falling(5, 0.6), rising(5, 0.8)
    text = "Fetching the weights of the body (83 MB) ...\n"
    for first, last in ((0, 2), (2, 5)):
        text += "epoch     train_loss  valid_loss  accuracy  time    \n"
        for i in range(first, last):
            text += f"{i - first}         {train[i]:.6f}    {val[i]:.6f}    {accuracy[i]:.6f}  00:1{i}     \n"
        text += "Better model found at epoch 0 with valid_loss value: 0.5.\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "val/accuracy": accuracy},
        {"train/loss": [0, 1, 0, 1, 2]},
        {"train/loss": "epoch"},
    )


@style
def fastai_version_one() -> Style:
    train, val, error = falling(3, 1.2), falling(3, 0.9), falling(3, 0.3)
    text = "Total time: 02:43\nepoch  train_loss  valid_loss  error_rate\n"
    for i in range(3):
        text += f"{i + 1}      {train[i]:.6f}    {val[i]:.6f}    {error[i]:.6f}    (00:46)\n"
    return Style(text, {"train/loss": train, "val/loss": val}, {"train/loss": [1, 2, 3]})


@style
def fastai_without_validation() -> Style:
    train = falling(3, 4.5)
    text = "epoch     train_loss  valid_loss  time    \n"
    text += "".join(f"{i}         {v:.6f}    #na#        00:07     \n" for i, v in enumerate(train))
    return Style(text, {"train/loss": train}, {"train/loss": [0, 1, 2]})


TIMM_HEAD = """Training in distributed mode with multiple processes, 1 GPU per process. Process 0, total 1.
Model resnet50 created, param count:25557032
Data processing configuration for current model + dataset:
\tinput_size: (3, 224, 224)
\tinterpolation: bicubic
\tmean: (0.485, 0.456, 0.406)
\tcrop_pct: 0.875
Using NVIDIA APEX AMP. Training in mixed precision.
Scheduled epochs: 3
"""


@style
def timm() -> Style:
    train, val, accuracy = falling(3, 6.9), falling(3, 6.5), rising(3, 10.0, 2)
    text = TIMM_HEAD
    for e in range(3):
        for k in (0, 50, 100):
            mean = train[e] if k == 100 else train[e] + 0.5
            text += f"Train: {e} [{k:>4d}/101 ({k:>3d}%)]  Loss:  {mean + 0.2:#.4g} ({mean:#.4g})  Time: 3.217s,   39.79/s  (3.217s,   39.79/s)  LR: 1.000e-0{5 - e}  Data: 1.596 (1.596)\n"
        for k in (0, 48):
            loss, top = (val[e], accuracy[e]) if k else (6.9, 0.1)
            text += f"Test: [{k:>4d}/48]  Time: 1.938 (1.938)  Loss:  {loss:>7.4f} ({loss:>6.4f})  Acc@1: {top:>7.4f} ({top:>7.4f})  Acc@5: {30.0:>7.4f} ({30.0:>7.4f})\n"
        text += "Current checkpoints:\n ('./output/train/20201001-resnet50-224/checkpoint-0.pth.tar', 0.12)\n\n"
    text += "*** Best metric: 52.1 (epoch 2)\n"
    return Style(text, {"train/loss": train, "test/loss": val, "test/accuracy": accuracy, "lr": [1e-5, 1e-4, 1e-3]})


@style
def pytorch_imagenet() -> Style:
    train, accuracy, val = falling(3, 7.0), rising(3, 3.0, 2), [5.0, 31.5, 40.25]
    text = "=> creating model 'resnet18'\n"
    for e in range(3):
        for k in (0, 10, 20):
            text += f"Epoch: [{e}][{k:>4d}/21]\tTime  5.1 ( 5.1)\tData  1.2 ( 1.2)\tLoss {train[e] + 1:.4e} ({train[e] + (20 - k) / 100:.4e})\tAcc@1 {accuracy[e] + 2:6.2f} ({accuracy[e] - (20 - k) / 100:6.2f})\tAcc@5   0.78 (  0.78)\n"
        for k in (0, 10):
            text += f"Test: [{k:>3d}/11]\tTime  3.1 ( 3.1)\tLoss 6.6e+00 (6.5e+00)\tAcc@1   3.91 (  3.92)\tAcc@5   7.0 (  7.1)\n"
        text += f" * Acc@1 {val[e]:.3f} Acc@5 9.216\n"
    return Style(
        text,
        {"train/loss": train, "train/accuracy": accuracy, "test/loss": [6.5, 6.5, 6.5], "test/accuracy": val},
        {"train/loss": [0, 1, 2]},
    )


MMCV = "2021-05-01 12:00:0{}, - mmdet - INFO - ".replace(",", ",123")


@style
def mmcv_epochs() -> Style:
    train, maps = falling(6, 1.9, 4), [0.112, 0.231, 0.312]
    text = (
        MMCV.format(0)
        + "Environment info:\n------------------------------------------------------------\nsys.platform: linux\nPython: 3.7.10\nGPU 0: Tesla V100-SXM2-32GB\nPyTorch: 1.8.0\nMMDetection: 2.11.0+9b1ec4c\n------------------------------------------------------------\n\n"
    )
    text += (
        MMCV.format(0)
        + "Config:\noptimizer = dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001)\nlr_config = dict(\n    policy='step',\n    warmup_iters=500,\n    warmup_ratio=0.001,\n    step=[8, 11])\nloss_bbox=dict(type='L1Loss', loss_weight=1.0)\n\n"
    )
    text += MMCV.format(1) + "workflow: [('train', 1)], max: 3 epochs\n"
    for e in range(3):
        for k in range(2):
            text += (
                MMCV.format(2)
                + f"Epoch [{e + 1}][{50 * (k + 1)}/100]\tlr: 1.978e-03, eta: 1:02:03, time: 0.512, data_time: 0.052, memory: 3456, loss_rpn_cls: 0.3001, loss_cls: 0.7, acc: 91.0012, loss_bbox: 0.3, loss: {train[2 * e + k]}\n"
            )
        text += (
            MMCV.format(3)
            + f"Saving checkpoint at {e + 1} epochs\n[>>>>>>>>>>>>>>>>>>>>>>>>>>] 500/500, 20.1 task/s, elapsed: 25s, ETA:     0s\n"
        )
        text += MMCV.format(4) + "Evaluating bbox...\nLoading and preparing results...\nDONE (t=0.61s)\n"
        text += f" Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = {maps[e]:.3f}\n Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=1000 ] = 0.558\n"
        text += (
            MMCV.format(5)
            + f"Epoch(val) [{e + 1}][500]\tbbox_mAP: {maps[e]:.4f}, bbox_mAP_50: 0.5000, bbox_mAP_s: 0.1, bbox_mAP_copypaste: 0.312 0.500 0.3 0.1 0.3 0.4\n"
        )
    return Style(
        text,
        {
            "train/loss": train,
            "train/accuracy": [91.0012] * 6,
            "lr": [1.978e-3] * 6,
            "train/loss_cls": [0.7] * 6,
            "val/bbox_map": maps,
        },
        {"val/bbox_map": [1, 2, 3], "train/loss": [1.5, 2, 2.5, 3, 3.5, 4]},
    )


@style
def mmcv_iterations() -> Style:
    train, iou = falling(4, 2.1, 4), [0.31, 0.4567]
    text = MMCV.format(0).replace("mmdet", "mmseg") + "workflow: [('train', 1)], max: 200 iters\n"
    for i in range(4):
        text += (
            MMCV.format(2).replace("mmdet", "mmseg")
            + f"Iter [{50 * (i + 1)}/200]\tlr: 9.978e-03, eta: 1:02:03, time: 0.512, data_time: 0.052, memory: 3456, decode.loss_ce: 1.2001, decode.acc_seg: 50.1, loss: {train[i]}\n"
        )
        if i % 2:
            text += "per class results:\n\n+---------------+-------+-------+\n|     Class     |  IoU  |  Acc  |\n+---------------+-------+-------+\n|      road     | 96.15 |  98.3 |\n|    sidewalk   | 71.64 | 82.57 |\n+---------------+-------+-------+\nSummary:\n\n+-------+-------+------+\n|  aAcc |  mIoU | mAcc |\n+-------+-------+------+\n| 93.53 | 45.67 | 62.0 |\n+-------+-------+------+\n"
            text += (
                MMCV.format(5).replace("mmdet", "mmseg")
                + f"Iter(val) [{i + 1}]\taAcc: 0.9353, mIoU: {iou[i // 2]:.4f}, mAcc: 0.6200, IoU.road: 0.9615\n"
            )
    return Style(
        text,
        {"train/loss": train, "val/miou": iou, "lr": [9.978e-3] * 4},
        {"train/loss": [50, 100, 150, 200]},
        {"train/loss": "step"},
    )


@style
def detectron2() -> Style:
    train, ap = falling(4, 4.3), [21.3, 30.2]
    text = "\x1b[32m[11/05 23:17:30 detectron2]: \x1b[0mRank of current process: 0. World size: 1\n\x1b[32m[11/05 23:17:31 detectron2]: \x1b[0mRunning with full config:\nSOLVER:\n  BASE_LR: 0.00025\n  MAX_ITER: 80\n  GAMMA: 0.1\nTEST:\n  EVAL_PERIOD: 40\n"
    text += "[11/05 23:17:32 d2.engine.train_loop]: Starting training from iteration 0\n"
    for i in range(4):
        text += f"\x1b[32m[11/05 23:17:3{i} d2.utils.events]: \x1b[0m eta: 0:10:00  iter: {20 * i + 19}  total_loss: {train[i]}  loss_cls: 3.5  loss_box_reg: 0.1  time: 0.5123  last_time: 0.5  data_time: 0.0112  lr: 4.9953e-06  max_mem: 4562M\n"
        if i % 2:
            text += "[11/05 23:18:32 d2.evaluation.coco_evaluation]: Evaluation results for bbox: \n|   AP   |  AP50  |  AP75  |  APs  |  APm  |  APl  |\n|:------:|:------:|:------:|:-----:|:-----:|:-----:|\n"
            text += f"| {ap[i // 2]} | 50.300 | 30.200 |  nan  | 10.1  | 33.2  |\n"
            text += f"[11/05 23:18:32 d2.evaluation.testing]: copypaste: Task: bbox\n[11/05 23:18:32 d2.evaluation.testing]: copypaste: AP,AP50,AP75,APs,APm,APl\n[11/05 23:18:32 d2.evaluation.testing]: copypaste: {ap[i // 2]},50.3000,30.2000,nan,10.1,33.2\n"
    return Style(
        text,
        {"train/loss": train, "lr": [4.9953e-06] * 4, "train/loss_cls": [3.5] * 4},
        {"train/loss": [19, 39, 59, 79]},
        {"train/loss": "step"},
    )


def glog(module: str, text: str) -> str:
    return f"I0124 12:22:55.033123 11911 {module}.cpp:228] {text}\n"


@style
def caffe() -> Style:
    smoothed, batch, val, accuracy = falling(4, 6.9), falling(4, 6.8), falling(2, 6.91), [0.001, 0.41]
    text = glog(
        "solver",
        'Initializing solver from parameters: \ntest_iter: 1000\ntest_interval: 200\nbase_lr: 0.01\ndisplay: 100\nmax_iter: 400\nlr_policy: "step"\nlayer {\n  name: "loss"\n  type: "SoftmaxWithLoss"\n  param {\n    lr_mult: 1\n  }\n}',
    ).replace("\n", "\n", 1)
    text += glog("net", "Memory required for data: 1036") + glog("layer_factory", "Creating layer loss")
    for i in range(4):
        if i % 2 == 0:
            text += glog("solver", f"Iteration {100 * i}, Testing net (#0)")
            text += glog("solver", f"    Test net output #0: accuracy = {accuracy[i // 2]}")
            text += glog("solver", f"    Test net output #1: loss = {val[i // 2]} (* 1 = {val[i // 2]} loss)")
        text += glog("solver", f"Iteration {100 * i} (8.1 iter/s, 12.4s/100 iters), loss = {smoothed[i]}")
        text += glog("solver", f"    Train net output #0: loss = {batch[i]} (* 1 = {batch[i]} loss)")
        text += glog("sgd_solver", f"Iteration {100 * i}, lr = 0.01")
    text += glog("solver", "Snapshotting to binary proto file caffe_alexnet_train_iter_400.caffemodel") + glog(
        "solver", "Optimization Done."
    )
    return Style(
        text,
        {"train/loss": smoothed, "val/loss": val, "val/accuracy": accuracy, "lr": [0.01] * 4},
        {"train/loss": [0, 100, 200, 300], "val/loss": [0, 200]},
        {"val/loss": "step"},
    )


@style
def mxnet_module() -> Style:
    train, final, val = rising(6), rising(3, 0.5), rising(3, 0.2)
    text = "INFO:root:start with arguments Namespace(batch_size=128, lr=0.1, num_epochs=3)\nINFO:root:src/io/iter_image_recordio_2.cc:170: ImageRecordIOParser2: data/train.rec, use 4 threads for decoding..\n"
    for e in range(3):
        for k in range(2):
            text += f"INFO:root:Epoch[{e}] Batch [{50 * (k + 1)}]\tSpeed: 420.10 samples/sec\tTrain-accuracy={train[2 * e + k]}\n"
        text += f'INFO:root:Epoch[{e}] Resetting Data Iterator\nINFO:root:Epoch[{e}] Time cost=119.231\nINFO:root:Saved checkpoint to "model-000{e + 1}.params"\n'
        text += f"INFO:root:Epoch[{e}] Validation-accuracy={val[e]}\n"
    del final
    return Style(text, {"train/accuracy": train, "val/accuracy": val}, {"val/accuracy": [0, 1, 2]})


def keras_bar(step: int, total: int, tail: str) -> str:
    done = 30 * step // total
    bar = "=" * 30 if step == total else "=" * max(0, done - 1) + ">" + "." * (30 - done)
    return f"{step:>3}/{total} [{bar}] - {tail}"


KERAS_HEAD = """2021-03-01 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:142] This TensorFlow binary is optimized with oneDNN
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
dense (Dense)                (None, 128)               100480
=================================================================
Total params: 100,480
Trainable params: 100,480
Non-trainable params: 0
_________________________________________________________________
Train on 6000 samples, validate on 1000 samples
"""


def keras_two(rewind: Callable[[str], str]) -> Style:
    train, val, accuracy = falling(3, 2.3), falling(3, 2.2), rising(3)
    text = KERAS_HEAD
    for e in range(3):
        text += f"Epoch {e + 1}/3\n"
        shown = ""
        for k in (1, 60, 120, 188):
            tail = f"ETA: 0s - loss: {train[e] + (188 - k) / 100:.4f} - accuracy: {accuracy[e]:.4f}"
            state = keras_bar(k, 188, tail)
            text += rewind(shown) + state
            shown = state
        tail = f"2s 9ms/step - loss: {train[e]:.4f} - accuracy: {accuracy[e]:.4f} - val_loss: {val[e]:.4f} - val_accuracy: 0.5000"
        text += rewind(shown) + keras_bar(188, 188, tail) + "\n"
        text += f"\nEpoch 0000{e + 1}: val_loss improved from 9.9 to {val[e]}, saving model to best.h5\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "train/accuracy": accuracy, "val/accuracy": [0.5] * 3},
        {"val/loss": [1, 2, 3], "train/loss": [1, 2, 3]},
        {"train/loss": "epoch"},
    )


@style
def keras_bars_with_carriage_returns() -> Style:
    return keras_two(lambda shown: "\r" if shown else "")


@style
def keras_bars_with_backspaces() -> Style:
    return keras_two(lambda shown: "\b" * len(shown))


@style
def keras_bars_line_by_line() -> Style:
    return keras_two(lambda shown: "\n" if shown else "")


@style
def keras_three() -> Style:
    train, val = falling(3, 2.3), falling(3, 2.2)
    text = KERAS_HEAD
    for e in range(3):
        text += f"Epoch {e + 1}/3\n\x1b[1m  1/188\x1b[0m \x1b[37m━━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[1m1:02\x1b[0m 335ms/step - accuracy: 0.1250 - loss: 2.9"
        for k in (60, 120, 188):
            text += f"\b\b\b\b\b\b\b\r\x1b[1m{k:>3}/188\x1b[0m \x1b[32m━━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━\x1b[0m \x1b[1m0s\x1b[0m 2ms/step - accuracy: 0.5000 - loss: {train[e] + (188 - k) / 100:.4f}"
        text += f"\b\b\b\b\b\b\b\r\x1b[1m188/188\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m1s\x1b[0m 3ms/step - accuracy: 0.5000 - loss: {train[e]:.4f} - val_accuracy: 0.4000 - val_loss: {val[e]:.4f} - learning_rate: 0.0010\n"
    return Style(
        text,
        {
            "train/loss": train,
            "val/loss": val,
            "val/accuracy": [0.4] * 3,
            "train/accuracy": [0.5] * 3,
            "lr": [0.001] * 3,
        },
        {"val/loss": [1, 2, 3]},
    )


@style
def paddle_hapi() -> Style:
    step, train, val = falling(6, 0.9), rising(3), rising(3, 0.2)
    text = "The loss value printed in the log is the current step, and the metric is the average value of previous steps.\n"
    for e in range(3):
        text += f"Epoch {e + 1}/3\n"
        for k in (0, 1):
            accuracy = train[e] if k else 0.1
            text += f"step {10 * (k + 1)}/20 - loss: {step[2 * e + k]} - acc: {accuracy} - 21ms/step\n"
        text += "Eval begin...\n"
        text += f"step 10/20 - loss: 0.9 - acc: 0.11 - 9ms/step\nstep 20/20 - loss: 0.81 - acc: {val[e]} - 8ms/step\nEval samples: 2000\n"
    return Style(
        text,
        {"train/loss": step, "train/accuracy": train, "val/accuracy": val, "val/loss": [0.81] * 3},
        {"val/accuracy": [1, 2, 3]},
    )


@style
def pytorch_mnist() -> Style:
    train, val, accuracy = falling(6, 2.3, 6), falling(2, 0.2, 4), [94.0, 98.0]
    text = "Fetching the images (9.9 MB) ...\n"
    for e in (1, 2):
        for k in range(3):
            text += f"Train Epoch: {e} [{19200 * k}/57600 ({100 * k / 3:.0f}%)]\tLoss: {train[3 * (e - 1) + k]:.6f}\n"
        text += f"\nTest set: Average loss: {val[e - 1]:.4f}, Accuracy: {int(accuracy[e - 1] * 100)}/10000 ({accuracy[e - 1]:.0f}%)\n\n"
    return Style(text, {"train/loss": train, "test/loss": val, "test/accuracy": accuracy}, {"test/loss": [1, 2]})
