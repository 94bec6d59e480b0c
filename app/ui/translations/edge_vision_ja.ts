<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ja" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>File</source>
        <translation>ファイル</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>タスク</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>ネットワーク</translation>
    </message>
    <message>
        <source>Motion</source>
        <translation>動き</translation>
    </message>
    <message>
        <source>View</source>
        <translation>表示</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>ヘルプ</translation>
    </message>
    <message>
        <source>Open file...</source>
        <translation>ファイルを開く...</translation>
    </message>
    <message>
        <source>Play a video file</source>
        <translation>動画ファイルを再生します</translation>
    </message>
    <message>
        <source>Screenshot</source>
        <translation>スクリーンショット</translation>
    </message>
    <message>
        <source>Save the picture with its overlay as a PNG file</source>
        <translation>解析結果を重ねた映像を PNG ファイルに保存します</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>録画</translation>
    </message>
    <message>
        <source>Start or stop a video of the picture with its overlay</source>
        <translation>解析結果を重ねた映像の録画を開始・停止します</translation>
    </message>
    <message>
        <source>Save trace</source>
        <translation>トレースを保存</translation>
    </message>
    <message>
        <source>Save what each thread did in the last minute, for Perfetto</source>
        <translation>直近1分の各スレッドの動きをPerfetto用に保存します</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>終了</translation>
    </message>
    <message>
        <source>Stop the program and save the settings</source>
        <translation>設定を保存してプログラムを終了します</translation>
    </message>
    <message>
        <source>Expression</source>
        <translation>表情認識</translation>
    </message>
    <message>
        <source>Find faces, number them and read their expression</source>
        <translation>顔を見つけて番号を付け、表情を読み取ります</translation>
    </message>
    <message>
        <source>Face parameters</source>
        <translation>顔パラメータ</translation>
    </message>
    <message>
        <source>Face parameters and the direction of the head</source>
        <translation>顔の動きのパラメータと頭の向きを求めます</translation>
    </message>
    <message>
        <source>Optical flow</source>
        <translation>オプティカルフロー</translation>
    </message>
    <message>
        <source>How every point of the picture moves</source>
        <translation>映像の各点の動きを求めます</translation>
    </message>
    <message>
        <source>Body pose</source>
        <translation>姿勢推定</translation>
    </message>
    <message>
        <source>The joints of every person</source>
        <translation>人物ごとの関節の位置を求めます</translation>
    </message>
    <message>
        <source>Identity</source>
        <translation>人物識別</translation>
    </message>
    <message>
        <source>Recognise enrolled persons</source>
        <translation>登録済みの人物を識別します</translation>
    </message>
    <message>
        <source>Next backend</source>
        <translation>次のバックエンド</translation>
    </message>
    <message>
        <source>Run the networks on the next available device</source>
        <translation>ネットワークを次に使えるデバイスで実行します</translation>
    </message>
    <message>
        <source>Next precision</source>
        <translation>次の演算精度</translation>
    </message>
    <message>
        <source>Switch between float and quantised networks while running</source>
        <translation>実行したまま浮動小数点と量子化のネットワークを切り替えます</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>What the task&apos;s networks are, and what goes on between their low-bit layers</source>
        <translation>このタスクのネットワークと、低ビット層の間で起きていること</translation>
    </message>
    <message>
        <source>Measure backends</source>
        <translation>バックエンドを計測</translation>
    </message>
    <message>
        <source>Time the task&apos;s networks on every backend anew; Automatic uses the fastest</source>
        <translation>このタスクのネットワークを各バックエンドで計測し直します。自動では最速のものを使います</translation>
    </message>
    <message>
        <source>Next flow method</source>
        <translation>次のフロー計算法</translation>
    </message>
    <message>
        <source>Optical flow by the network, DIS, Farneback or Lucas-Kanade</source>
        <translation>オプティカルフローをネットワーク、DIS、Farneback、Lucas-Kanade のいずれかで求めます</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>比較</translation>
    </message>
    <message>
        <source>The same frame through a second network: a divider to drag, or side by side</source>
        <translation>同じフレームを別のネットワークでも処理: 仕切りをドラッグ、または左右に並べて表示</translation>
    </message>
    <message>
        <source>Flow arrows</source>
        <translation>フローの矢印</translation>
    </message>
    <message>
        <source>Draw arrows along the optical flow</source>
        <translation>オプティカルフローに沿って矢印を描きます</translation>
    </message>
    <message>
        <source>Flow alone</source>
        <translation>フローのみ表示</translation>
    </message>
    <message>
        <source>Show the colours of the flow without the picture, white where nothing moves</source>
        <translation>映像を重ねずにフローの色だけを表示します (動きのない所は白)</translation>
    </message>
    <message>
        <source>Next flow scale</source>
        <translation>次のフロー尺度</translation>
    </message>
    <message>
        <source>Which motion has its full colour: automatic, 2, 5, 10 or 20 px</source>
        <translation>最も濃い色で示す動きの大きさ: 自動、2、5、10、20 px</translation>
    </message>
    <message>
        <source>Draw zones</source>
        <translation>ゾーンを描く</translation>
    </message>
    <message>
        <source>Drag rectangles that light up while something moves, or somebody is, in them; Esc ends it</source>
        <translation>ドラッグで四角を描きます。中で何かが動くか、人がいると光ります。Esc で終わります</translation>
    </message>
    <message>
        <source>Draw counting lines</source>
        <translation>計数線を描く</translation>
    </message>
    <message>
        <source>Drag lines at which people are counted, in and out; Esc ends it</source>
        <translation>ドラッグで線を描きます。横切る人の出入りを数えます。Esc で終わります</translation>
    </message>
    <message>
        <source>Remove the zone or line under the mouse while drawing, else the newest one</source>
        <translation>描画中はマウスの下のゾーンか線を、それ以外は最新のものを削除します</translation>
    </message>
    <message>
        <source>Remove every zone and line of the picture</source>
        <translation>映像のゾーンと線をすべて削除します</translation>
    </message>
    <message>
        <source>Remove zone</source>
        <translation>ゾーンを削除</translation>
    </message>
    <message>
        <source>Remove all zones</source>
        <translation>すべてのゾーンを削除</translation>
    </message>
    <message>
        <source>Pages</source>
        <translation>ページ</translation>
    </message>
    <message>
        <source>Show pages that swipes of a hand turn</source>
        <translation>手のスワイプでめくるページを表示します</translation>
    </message>
    <message>
        <source>Steady picture</source>
        <translation>手ぶれ補正</translation>
    </message>
    <message>
        <source>Take the shaking of the camera out of the picture and of what is recorded</source>
        <translation>映像と録画からカメラの揺れを取り除きます</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>遅延</translation>
    </message>
    <message>
        <source>Where the time from capture to paint goes, and the numbers of the last minute</source>
        <translation>取り込みから描画までの時間の内訳と、直近1分の数値</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>一時停止</translation>
    </message>
    <message>
        <source>Hold the picture or go on</source>
        <translation>映像を一時停止・再開します</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全画面表示</translation>
    </message>
    <message>
        <source>Fill the screen with the picture or go back to the window</source>
        <translation>映像を全画面に表示、またはウィンドウに戻します</translation>
    </message>
    <message>
        <source>Mirror</source>
        <translation>左右反転</translation>
    </message>
    <message>
        <source>Show the picture as in a mirror; files are not mirrored</source>
        <translation>映像を鏡のように表示します(保存ファイルは反転しません)</translation>
    </message>
    <message>
        <source>Switch language</source>
        <translation>言語を切り替える</translation>
    </message>
    <message>
        <source>Change between English and Japanese</source>
        <translation>英語と日本語を切り替えます</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>キー操作</translation>
    </message>
    <message>
        <source>Show or hide all keys</source>
        <translation>キー操作の一覧を表示・非表示にします</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Dismiss</source>
        <translation>閉じる</translation>
    </message>
</context>
<context>
    <name>Compare</name>
    <message>
        <source>{0} · frame {1}</source>
        <translation>{0} · フレーム {1}</translation>
    </message>
    <message>
        <source>Compare with</source>
        <translation>比較相手</translation>
    </message>
    <message>
        <source>nothing compared in the last 5 s</source>
        <translation>直近5秒間の比較はありません</translation>
    </message>
    <message>
        <source>{0} % agree in 5 s, {1} frames</source>
        <translation>5秒間の一致 {0} %、{1} フレーム</translation>
    </message>
    <message>
        <source>class flips {0} / {1}</source>
        <translation>分類の変化 {0} / {1}</translation>
    </message>
    <message>
        <source>error {0} / {1} px</source>
        <translation>誤差 {0} / {1} px</translation>
    </message>
    <message>
        <source>{0} / {1} ms with pre- and post-processing: {2} times as fast</source>
        <translation>前後処理込み {0} / {1} ms: {2} 倍の速さ</translation>
    </message>
    <message>
        <source>processor {0} / {1} ms a frame</source>
        <translation>プロセッサ {0} / {1} ms/フレーム</translation>
    </message>
    <message>
        <source>{0} px apart</source>
        <translation>差 {0} px</translation>
    </message>
    <message>
        <source>keypoint similarity {0}</source>
        <translation>キーポイント類似度 {0}</translation>
    </message>
    <message>
        <source>correlation {0}</source>
        <translation>相関 {0}</translation>
    </message>
</context>
<context>
    <name>Counting</name>
    <message>
        <source>{0}: in {1}, out {2}</source>
        <translation>{0}: 入 {1}、出 {2}</translation>
    </message>
    <message>
        <source>{0}: {1} inside, in {2}, out {3}</source>
        <translation>{0}: {1} 人、入 {2}、出 {3}</translation>
    </message>
    <message>
        <source>mean stay {0} s</source>
        <translation>平均滞在 {0} 秒</translation>
    </message>
</context>
<context>
    <name>Dialog</name>
    <message>
        <source>Open file</source>
        <translation>ファイルを開く</translation>
    </message>
    <message>
        <source>Videos ({0})</source>
        <translation>動画 ({0})</translation>
    </message>
    <message>
        <source>All files ({0})</source>
        <translation>すべてのファイル ({0})</translation>
    </message>
</context>
<context>
    <name>Flow</name>
    <message>
        <source>no motion known</source>
        <translation>動きは不明です</translation>
    </message>
    <message>
        <source>mean motion {0}, {1}</source>
        <translation>平均の動き {0}、{1}</translation>
    </message>
    <message>
        <source>longest {0} px</source>
        <translation>最大 {0} px</translation>
    </message>
    <message>
        <source>error (EPE) {0} px</source>
        <translation>誤差 (EPE) {0} px</translation>
    </message>
    <message>
        <source>{0} px left</source>
        <translation>左へ {0} px</translation>
    </message>
    <message>
        <source>{0} px right</source>
        <translation>右へ {0} px</translation>
    </message>
    <message>
        <source>{0} px up</source>
        <translation>上へ {0} px</translation>
    </message>
    <message>
        <source>{0} px down</source>
        <translation>下へ {0} px</translation>
    </message>
    <message>
        <source>2 frames, {0} ms apart</source>
        <translation>2 フレーム、間隔 {0} ms</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>自動</translation>
    </message>
</context>
<context>
    <name>Hud</name>
    <message>
        <source>effective FPS</source>
        <translation>実効 FPS</translation>
    </message>
    <message>
        <source>inference FPS</source>
        <translation>推論 FPS</translation>
    </message>
    <message>
        <source>capture FPS</source>
        <translation>入力 FPS</translation>
    </message>
    <message>
        <source>picture age</source>
        <translation>映像の遅れ</translation>
    </message>
    <message>
        <source>dropped</source>
        <translation>欠落</translation>
    </message>
    <message>
        <source>network</source>
        <translation>ネットワーク</translation>
    </message>
    <message>
        <source>true boxes found</source>
        <translation>正解枠の検出率</translation>
    </message>
    <message>
        <source>id switches</source>
        <translation>IDの入れ替わり</translation>
    </message>
    <message>
        <source>flow error</source>
        <translation>フロー誤差</translation>
    </message>
    <message>
        <source>numbers over the last 1 s</source>
        <translation>直近 1 秒間の値</translation>
    </message>
</context>
<context>
    <name>Keys</name>
    <message>
        <source>Keys</source>
        <translation>キー操作</translation>
    </message>
</context>
<context>
    <name>Ledger</name>
    <message>
        <source>painted</source>
        <translation>描画</translation>
    </message>
    <message>
        <source>inferred</source>
        <translation>推論</translation>
    </message>
    <message>
        <source>frames a second</source>
        <translation>フレーム毎秒</translation>
    </message>
    <message>
        <source>capture to paint, ms</source>
        <translation>取り込みから描画まで (ms)</translation>
    </message>
    <message>
        <source>processor, % of a core</source>
        <translation>プロセッサ (1コアに対する %)</translation>
    </message>
    <message>
        <source>memory, MiB</source>
        <translation>メモリ (MiB)</translation>
    </message>
    <message>
        <source>temperature, °C</source>
        <translation>温度 (°C)</translation>
    </message>
    <message>
        <source>nothing painted in the last {0} s</source>
        <translation>直近{0}秒間の描画はありません</translation>
    </message>
    <message>
        <source>capture to paint, last {0} s, {1} frames</source>
        <translation>取り込みから描画まで、直近{0}秒、{1} フレーム</translation>
    </message>
    <message>
        <source>capture to paint</source>
        <translation>取り込みから描画まで</translation>
    </message>
    <message>
        <source>the parts add up to within {0} ms (p95)</source>
        <translation>内訳の合計は {0} ms 以内で一致 (p95)</translation>
    </message>
    <message>
        <source>the parts do NOT add up: {0} ms (p95) missing</source>
        <translation>内訳の合計が一致しません: {0} ms 不明 (p95)</translation>
    </message>
    <message>
        <source>window busy for at most {0} ms</source>
        <translation>ウィンドウの最長の占有 {0} ms</translation>
    </message>
    <message>
        <source>queue</source>
        <translation>待ち行列</translation>
    </message>
    <message>
        <source>before networks</source>
        <translation>ネットワークの前</translation>
    </message>
    <message>
        <source>first layer, low-bit</source>
        <translation>最初の層 (低ビット)</translation>
    </message>
    <message>
        <source>inner layers, low-bit</source>
        <translation>中間の層 (低ビット)</translation>
    </message>
    <message>
        <source>last layer, low-bit</source>
        <translation>最後の層 (低ビット)</translation>
    </message>
    <message>
        <source>networks</source>
        <translation>ネットワーク</translation>
    </message>
    <message>
        <source>after networks</source>
        <translation>ネットワークの後</translation>
    </message>
    <message>
        <source>between stages</source>
        <translation>段の間</translation>
    </message>
    <message>
        <source>second network</source>
        <translation>2つ目のネットワーク</translation>
    </message>
    <message>
        <source>wait for the window</source>
        <translation>ウィンドウ待ち</translation>
    </message>
    <message>
        <source>draw and paint</source>
        <translation>描画</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>遅延</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Edge Vision</source>
        <translation>Edge Vision</translation>
    </message>
    <message>
        <source>starting...</source>
        <translation>起動しています...</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>停止しました</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>一時停止中</translation>
    </message>
</context>
<context>
    <name>Menus</name>
    <message>
        <source>Source</source>
        <translation>映像ソース</translation>
    </message>
    <message>
        <source>Backend</source>
        <translation>バックエンド</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>演算精度</translation>
    </message>
    <message>
        <source>Flow method</source>
        <translation>フロー計算法</translation>
    </message>
    <message>
        <source>Tracking of faces</source>
        <translation>顔の追跡</translation>
    </message>
    <message>
        <source>Tracking of people</source>
        <translation>人の追跡</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>言語</translation>
    </message>
</context>
<context>
    <name>Messages</name>
    <message>
        <source>Open file</source>
        <translation>ファイルを開く</translation>
    </message>
    <message>
        <source>Retry</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Play demo</source>
        <translation>デモを再生</translation>
    </message>
    <message>
        <source>Retry camera</source>
        <translation>カメラを再試行</translation>
    </message>
    <message>
        <source>Keep demo</source>
        <translation>デモを続ける</translation>
    </message>
    <message>
        <source>End of the clip.</source>
        <translation>動画の終わりです。</translation>
    </message>
    <message>
        <source>Play again</source>
        <translation>もう一度再生</translation>
    </message>
    <message>
        <source>Saved: {0}</source>
        <translation>保存しました: {0}</translation>
    </message>
    <message>
        <source>There is no picture to save yet.</source>
        <translation>保存できる映像がまだありません。</translation>
    </message>
    <message>
        <source>Motion of full colour: {0}</source>
        <translation>最も濃い色で示す動き: {0}</translation>
    </message>
    <message>
        <source>That is too small: drag further.</source>
        <translation>小さすぎます。もっと長くドラッグしてください。</translation>
    </message>
    <message>
        <source>There is no zone.</source>
        <translation>ゾーンがありません。</translation>
    </message>
    <message>
        <source>all zones</source>
        <translation>すべてのゾーン</translation>
    </message>
    <message>
        <source>Removed: {0}</source>
        <translation>削除しました: {0}</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>元に戻す</translation>
    </message>
    <message>
        <source>Tracking of faces: {0}</source>
        <translation>顔の追跡: {0}</translation>
    </message>
    <message>
        <source>Tracking of people: {0}</source>
        <translation>人の追跡：{0}</translation>
    </message>
    <message>
        <source>Optical flow by: {0}</source>
        <translation>オプティカルフローの計算法: {0}</translation>
    </message>
    <message>
        <source>Networks: {0}</source>
        <translation>使用ネットワーク: {0}</translation>
    </message>
</context>
<context>
    <name>Models</name>
    <message>
        <source>task</source>
        <translation>タスク</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>ビット数</translation>
    </message>
    <message>
        <source>parameters</source>
        <translation>パラメータ数</translation>
    </message>
    <message>
        <source>multiply-adds</source>
        <translation>積和演算数</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>バイト数</translation>
    </message>
    <message>
        <source>accuracy</source>
        <translation>精度</translation>
    </message>
    <message>
        <source>measured on</source>
        <translation>測定条件</translation>
    </message>
    <message>
        <source>ms here</source>
        <translation>ここでの時間 (ms)</translation>
    </message>
    <message>
        <source>licence</source>
        <translation>ライセンス</translation>
    </message>
    <message>
        <source>file (sha256)</source>
        <translation>ファイル (sha256)</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Layers of the W1A2 network on this picture</source>
        <translation>この画像での W1A2 ネットワークの各層</translation>
    </message>
    <message>
        <source>There is no face, or no motion, in the picture to look at.</source>
        <translation>見るべき顔や動きが画像にありません。</translation>
    </message>
    <message>
        <source>Codes 0 (black) to 3 (white); {0} % of {1} are zero.</source>
        <translation>コード 0 (黒) から 3 (白)。{1} 個のうち {0} % がゼロです。</translation>
    </message>
    <message>
        <source>Layer {0}: {1} channels of {2}×{3}; codes 0 / 1 / 2 / 3: {4} %</source>
        <translation>第 {0} 層: {2}×{3} が {1} チャネル。コード 0 / 1 / 2 / 3: {4} %</translation>
    </message>
</context>
<context>
    <name>Networks</name>
    <message>
        <source>Preparing the GPU and comparing it with the CPU...</source>
        <translation>GPU を準備し、CPU と結果を比べています…</translation>
    </message>
    <message>
        <source>Measuring which backend is the fastest: {0} on {1}...</source>
        <translation>最速のバックエンドを計測しています: {1} で {0}…</translation>
    </message>
    <message>
        <source>{0}, {1}: {2} is used ({3} ms{4}).</source>
        <translation>{0}、{1}: {2} を使います ({3} ms{4})。</translation>
    </message>
    <message>
        <source>{0} ({1}) is {2}x slower than {3} here: {3} is used.</source>
        <translation>ここでは {0} ({1}) は {3} より {2} 倍遅いので、{3} を使います。</translation>
    </message>
    <message>
        <source>{0} ({1}) is {2}x faster than {3} here.</source>
        <translation>ここでは {0} ({1}) は {3} より {2} 倍速いです。</translation>
    </message>
</context>
<context>
    <name>Pages</name>
    <message>
        <source>Swipe to turn the page</source>
        <translation>スワイプでページをめくる</translation>
    </message>
    <message>
        <source>A hand to the left: the next page.</source>
        <translation>手を左へ: 次のページ。</translation>
    </message>
    <message>
        <source>A hand to the right: the page before.</source>
        <translation>手を右へ: 前のページ。</translation>
    </message>
    <message>
        <source>How a swipe is read</source>
        <translation>スワイプの読み取り</translation>
    </message>
    <message>
        <source>The flow says how every point of the picture moves.</source>
        <translation>オプティカルフローは映像の各点の動きを表します。</translation>
    </message>
    <message>
        <source>A patch that moves off together, fast, and stops is a swipe.</source>
        <translation>まとまって素早く動き、止まった部分をスワイプとみなします。</translation>
    </message>
    <message>
        <source>The way back of the hand does not count.</source>
        <translation>戻る手は数えません。</translation>
    </message>
    <message>
        <source>Zones</source>
        <translation>ゾーン</translation>
    </message>
    <message>
        <source>Press E and drag a rectangle over the picture.</source>
        <translation>E キーを押し、映像の上で四角形をドラッグします。</translation>
    </message>
    <message>
        <source>It lights up while something moves in it.</source>
        <translation>中で何かが動いている間、光ります。</translation>
    </message>
    <message>
        <source>What begins and ends there goes to the events file.</source>
        <translation>動きの始まりと終わりはイベントファイルに記録されます。</translation>
    </message>
    <message>
        <source>If nothing happens</source>
        <translation>反応しないときは</translation>
    </message>
    <message>
        <source>Move the whole hand at an arm&apos;s length, quickly, and stop.</source>
        <translation>腕の長さほど離れ、手全体を素早く動かして止めます。</translation>
    </message>
    <message>
        <source>Hold the camera still: where all moves, nothing is a hand.</source>
        <translation>カメラを動かさないでください。全体が動くと手を区別できません。</translation>
    </message>
    <message>
        <source>Mind the light: in the dark the flow sees little.</source>
        <translation>明るさに注意してください。暗いと動きがよく見えません。</translation>
    </message>
    <message>
        <source>{0} widths/s</source>
        <translation>毎秒 {0} 画面幅</translation>
    </message>
</context>
<context>
    <name>Reasons</name>
    <message>
        <source>task {0} is not part of this version</source>
        <translation>「{0}」はこの版には含まれていません</translation>
    </message>
    <message>
        <source>task {0} has no choice of method</source>
        <translation>「{0}」では計算法を選べません</translation>
    </message>
    <message>
        <source>task {0} draws no flow</source>
        <translation>「{0}」ではフローを表示しません</translation>
    </message>
    <message>
        <source>task {0} tracks no faces</source>
        <translation>「{0}」では顔を追跡しません</translation>
    </message>
    <message>
        <source>task {0} tracks no people</source>
        <translation>タスク「{0}」は人を追跡しません</translation>
    </message>
    <message>
        <source>task {0} watches no zones</source>
        <translation>タスク「{0}」はゾーンを見ません</translation>
    </message>
    <message>
        <source>task {0} counts nobody</source>
        <translation>タスク「{0}」は人を数えません</translation>
    </message>
    <message>
        <source>method {0} has no network</source>
        <translation>{0} はネットワークを使いません</translation>
    </message>
    <message>
        <source>nothing is measured in this run</source>
        <translation>今回は計測しません</translation>
    </message>
    <message>
        <source>the GPU is being looked for; try again in a few seconds</source>
        <translation>GPU を探しています。数秒後にもう一度お試しください</translation>
    </message>
    <message>
        <source>backend gpu finds no GPU here ({0}); use --backend auto</source>
        <translation>GPU がありません ({0})。--backend auto を使ってください</translation>
    </message>
    <message>
        <source>{0} runs on the CPU from now on: {1}</source>
        <translation>{0} は今から CPU で動きます: {1}</translation>
    </message>
    <message>
        <source>no {0} network for task {1} here (there is no card {2}); use --method dis, or another --precision</source>
        <translation>「{1}」の {0} のネットワークがここにありません (カード {2} がありません)。--method dis か別の --precision を指定してください</translation>
    </message>
    <message>
        <source>no {0} network for task {1} here (there is no card {2}); use another --precision</source>
        <translation>「{1}」の {0} のネットワークがここにありません (カード {2} がありません)。別の --precision を指定してください</translation>
    </message>
    <message>
        <source>backend {0} is not part of this version; use --backend auto</source>
        <translation>バックエンド「{0}」はこの版には含まれていません。バックエンドは「自動」を選んでください</translation>
    </message>
    <message>
        <source>backend {0} does not run {1} networks; use --precision {2}, or --backend auto</source>
        <translation>バックエンド「{0}」では {1} のネットワークを実行できません。演算精度 {2} か、バックエンド「自動」を選んでください</translation>
    </message>
    <message>
        <source>no accelerator here ({0})</source>
        <translation>アクセラレータが見つかりません（{0}）</translation>
    </message>
    <message>
        <source>no simulated accelerator at {0}; build it with `make fpga-sim`</source>
        <translation>シミュレーション用のアクセラレータが {0} にありません。make fpga-sim でビルドしてください</translation>
    </message>
    <message>
        <source>the low-bit kernels are being built; try again in a few seconds</source>
        <translation>低ビット演算のプログラムをビルドしています。数秒後にもう一度試してください</translation>
    </message>
    <message>
        <source>the low-bit kernels need a C compiler, and {0} cannot be started ({1}); install gcc, name one in CC, or set EDGE_LOWBIT=emulator, which is slow</source>
        <translation>低ビット演算には C コンパイラが必要ですが、{0} を起動できません（{1}）。gcc をインストールするか、CC でコンパイラを指定するか、EDGE_LOWBIT=emulator（低速）を設定してください</translation>
    </message>
</context>
<context>
    <name>Stages</name>
    <message>
        <source>capture</source>
        <translation>入力</translation>
    </message>
    <message>
        <source>detect</source>
        <translation>検出</translation>
    </message>
    <message>
        <source>track</source>
        <translation>追跡</translation>
    </message>
    <message>
        <source>expression</source>
        <translation>表情</translation>
    </message>
    <message>
        <source>smooth</source>
        <translation>平滑化</translation>
    </message>
    <message>
        <source>pose</source>
        <translation>姿勢</translation>
    </message>
    <message>
        <source>flow</source>
        <translation>フロー</translation>
    </message>
    <message>
        <source>compare with truth</source>
        <translation>真値と比較</translation>
    </message>
    <message>
        <source>motion</source>
        <translation>動き</translation>
    </message>
    <message>
        <source>count</source>
        <translation>計数</translation>
    </message>
    <message>
        <source>camera motion</source>
        <translation>カメラの動き</translation>
    </message>
    <message>
        <source>stabilise</source>
        <translation>手ぶれ補正</translation>
    </message>
</context>
<context>
    <name>Status</name>
    <message>
        <source>no source</source>
        <translation>映像なし</translation>
    </message>
    <message>
        <source>camera</source>
        <translation>カメラ</translation>
    </message>
    <message>
        <source>recording</source>
        <translation>録画</translation>
    </message>
    <message>
        <source>all layers {0} bit</source>
        <translation>全層 {0} ビット</translation>
    </message>
    <message>
        <source>weights {0} bit, activations {1} bit (first layer {2}, last {3})</source>
        <translation>重み {0} ビット、活性値 {1} ビット（最初の層 {2}、最後の層 {3}）</translation>
    </message>
    <message>
        <source>{0} bit</source>
        <translation>{0} ビット</translation>
    </message>
    <message>
        <source>W{0} A{1}, first {2}, last {3}</source>
        <translation>W{0} A{1}、最初の層 {2}、最後 {3}</translation>
    </message>
    <message>
        <source>Bits of one value. Inner layers: weights (W) {0}, activations (A) {1}. First layer: weights {2}, input {3}. Last layer: weights {4}, sums {5}.</source>
        <translation>値 1 つのビット数です。中間層: 重み (W) {0}、活性値 (A) {1}。最初の層: 重み {2}、入力 {3}。最後の層: 重み {4}、総和 {5}。</translation>
    </message>
    <message>
        <source>Cycles: of the last run, as the unit counted them, without ARM work.</source>
        <translation>サイクル数は回路が数えた直前の 1 回分で、ARM の処理は含みません。</translation>
    </message>
    <message>
        <source>Time: median run of this network over the last 1 s.</source>
        <translation>時間はこのネットワークの直近 1 秒の実行時間の中央値です。</translation>
    </message>
    <message>
        <source>on</source>
        <translation>オン</translation>
    </message>
    <message>
        <source>off</source>
        <translation>オフ</translation>
    </message>
</context>
<context>
    <name>VideoView</name>
    <message>
        <source>Picture</source>
        <translation>映像</translation>
    </message>
    <message>
        <source>no picture since {0}</source>
        <translation>{0} から映像が届いていません</translation>
    </message>
</context>
<context>
    <name>WhyPanel</name>
    <message>
        <source>first seen, followed by place</source>
        <translation>初めて検出、以後は位置で追跡</translation>
    </message>
    <message>
        <source>looked at in doubt</source>
        <translation>迷ったので見た目を確認</translation>
    </message>
    <message>
        <source>lost and found again</source>
        <translation>見失った後に再発見</translation>
    </message>
    <message>
        <source>looks {0:.2f}</source>
        <translation>見た目 {0:.2f}</translation>
    </message>
    <message>
        <source>way {0:.1f} σ</source>
        <translation>移動 {0:.1f} σ</translation>
    </message>
    <message>
        <source>ahead {0:+.2f}</source>
        <translation>進行方向 {0:+.2f}</translation>
    </message>
    <message>
        <source>overlap {0:.2f}</source>
        <translation>重なり {0:.2f}</translation>
    </message>
    <message>
        <source>{0:.1f} s ago</source>
        <translation>{0:.1f} 秒前</translation>
    </message>
    <message>
        <source>then {0}</source>
        <translation>次点 {0}</translation>
    </message>
    <message>
        <source>nobody else was near</source>
        <translation>近くに他の候補なし</translation>
    </message>
    <message>
        <source>a new one</source>
        <translation>新しい人</translation>
    </message>
</context>
<context>
    <name>Words</name>
    <message>
        <source>Angry</source>
        <translation>怒り</translation>
    </message>
    <message>
        <source>Disgust</source>
        <translation>嫌悪</translation>
    </message>
    <message>
        <source>Fear</source>
        <translation>恐れ</translation>
    </message>
    <message>
        <source>Happy</source>
        <translation>喜び</translation>
    </message>
    <message>
        <source>Sad</source>
        <translation>悲しみ</translation>
    </message>
    <message>
        <source>Surprise</source>
        <translation>驚き</translation>
    </message>
    <message>
        <source>Neutral</source>
        <translation>無表情</translation>
    </message>
    <message>
        <source>Expression</source>
        <translation>表情認識</translation>
    </message>
    <message>
        <source>Face parameters</source>
        <translation>顔パラメータ</translation>
    </message>
    <message>
        <source>Optical flow</source>
        <translation>オプティカルフロー</translation>
    </message>
    <message>
        <source>Body pose</source>
        <translation>姿勢推定</translation>
    </message>
    <message>
        <source>Identity</source>
        <translation>人物識別</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自動</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>GPU</source>
        <translation>GPU</translation>
    </message>
    <message>
        <source>CPU, low-bit</source>
        <translation>CPU(低ビット)</translation>
    </message>
    <message>
        <source>FPGA</source>
        <translation>FPGA</translation>
    </message>
    <message>
        <source>FPGA, simulated</source>
        <translation>FPGA(シミュレーション)</translation>
    </message>
    <message>
        <source>float</source>
        <translation>浮動小数点</translation>
    </message>
    <message>
        <source>int8</source>
        <translation>int8</translation>
    </message>
    <message>
        <source>W1A2</source>
        <translation>W1A2</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>ネットワーク</translation>
    </message>
    <message>
        <source>DIS</source>
        <translation>DIS</translation>
    </message>
    <message>
        <source>Farneback</source>
        <translation>Farneback</translation>
    </message>
    <message>
        <source>Lucas-Kanade</source>
        <translation>Lucas-Kanade</translation>
    </message>
    <message>
        <source>Demo clip</source>
        <translation>デモ動画</translation>
    </message>
    <message>
        <source>Synthetic scene</source>
        <translation>合成シーン</translation>
    </message>
    <message>
        <source>By place (SORT)</source>
        <translation>位置で追跡（SORT）</translation>
    </message>
    <message>
        <source>By place, by looks in doubt (hybrid)</source>
        <translation>位置で追跡、迷うときは見た目も（ハイブリッド）</translation>
    </message>
    <message>
        <source>Camera stands still</source>
        <translation>カメラは固定</translation>
    </message>
    <message>
        <source>Camera is moved (Lucas-Kanade)</source>
        <translation>カメラが動く (Lucas-Kanade)</translation>
    </message>
    <message>
        <source>{0} · no network</source>
        <translation>{0} · ネットワークなし</translation>
    </message>
    <message>
        <source>simulated accelerator: {0} cycles = {1} ms at {2} MHz</source>
        <translation>シミュレーションのアクセラレータ: {0} サイクル = {1} ms（{2} MHz として）</translation>
    </message>
    <message>
        <source>{0} cycles = {1} ms at {2} MHz</source>
        <translation>{0} サイクル = {1} ms ({2} MHz)</translation>
    </message>
    <message>
        <source>{0} cycles = {1} ms</source>
        <translation>{0} サイクル = {1} ms</translation>
    </message>
</context>
<context>
    <name>Zones</name>
    <message>
        <source>zone {0}</source>
        <translation>ゾーン {0}</translation>
    </message>
    <message>
        <source>line {0}</source>
        <translation>線 {0}</translation>
    </message>
    <message>
        <source>{0}: {1} widths/s</source>
        <translation>{0}: 毎秒 {1} 画面幅</translation>
    </message>
    <message>
        <source>{0}: motion not known</source>
        <translation>{0}: 動きは不明</translation>
    </message>
    <message>
        <source>Drag a rectangle. Del: remove. Esc: done.</source>
        <translation>四角形をドラッグしてください。Del: 削除&#x3000;Esc: 終了</translation>
    </message>
    <message>
        <source>Drag a line; its arrow points in. Del: remove. Esc: done.</source>
        <translation>ドラッグで線を描きます。矢印が「入」の向きです。Del: 削除、Esc: 終了</translation>
    </message>
</context>
</TS>
